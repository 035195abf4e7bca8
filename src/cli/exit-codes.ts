import { CompileError } from '../support/diagnostic.js';

/** What the exit code of the command means. The README's table is rendered from this one. */
export const exitCodes = {
  0: 'done',
  1: 'the accuracy is out of tolerance',
  2: 'the input or the options are at fault',
  3: 'the machine is at fault: compiler, onnxruntime, processor, GPU and its driver, disk, memory',
  4: 'a bug of ours; the message says what to send',
  129: 'ended by SIGHUP',
  130: 'ended by Ctrl-C (SIGINT)',
  143: 'ended by SIGTERM',
} as const;

export type ExitCode = keyof typeof exitCodes;

/** Things that are missing or broken on the machine rather than in the input. */
const machine = new Set([
  'no-compiler',
  'compiler-failed',
  'no-nvrtc',
  'no-hipcc',
  'no-device',
  'device-failed',
  'unsupported-cpu',
  'reference-crashed',
  'reference-timeout',
  'runtime-crashed',
  'disk-full',
  'out-of-memory',
]);

/** Promises that the compiler makes to itself. */
const broken = new Set([
  'broken-graph',
  'bad-expression',
  'bad-ir-text',
  'foreign-input',
  'no-onnx-form',
  'rewrite-diverged',
  'unbound-symbol',
  'unknown-literal',
  'unordered-graph',
]);

/** The codes above, for the test that none of them is a leftover. */
export const classified: readonly string[] = [...machine, ...broken];

/** A failure of the machine that Node reports without knowing what we were about. */
const exhausted = new Set(['ENOSPC', 'EDQUOT', 'ENOMEM', 'EMFILE', 'ENFILE']);

export function exitCodeOf(e: unknown): ExitCode {
  if (!(e instanceof CompileError))
    return e instanceof Error && 'code' in e && exhausted.has(String(e.code)) ? 3 : 4;
  if (e.code === 'accuracy') return 1;
  if (e.code === 'cancelled') return 130;
  return machine.has(e.code) ? 3 : broken.has(e.code) ? 4 : 2;
}

/** The table as Markdown, for the README. */
export function renderExitCodes(): string {
  const rows = Object.entries(exitCodes).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return ['| exit code | meaning |', '|---|---|', ...rows].join('\n');
}
