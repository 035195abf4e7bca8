import { CompileError } from '../support/diagnostic.js';

/** What the exit code of the command means. The README's table is rendered from this one. */
export const exitCodes = {
  0: 'done',
  1: 'the accuracy is out of tolerance',
  2: 'the input or the options are at fault',
  3: 'the toolchain is at fault: compiler, onnxruntime, processor',
  4: 'a bug of ours; the message says what to send',
} as const;

export type ExitCode = keyof typeof exitCodes;

/** Error codes of things that are missing or broken on the machine rather than in the input. */
const toolchain = new Set([
  'no-compiler',
  'compiler-failed',
  'engine-isa',
  'unsupported-cpu',
  'reference-crashed',
  'reference-timeout',
  'disk-full',
]);

export function exitCodeOf(e: unknown): ExitCode {
  if (!(e instanceof CompileError)) return 4;
  if (e.code === 'accuracy') return 1;
  return toolchain.has(e.code) ? 3 : 2;
}
