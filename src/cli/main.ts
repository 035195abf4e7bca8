import { realpathSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CompileError } from '../support/diagnostic.js';
import { json, standardIo } from './command.js';
import { writeCrashFile } from './crash.js';
import { type ExitCode, exitCodeOf } from './exit-codes.js';
import { Interrupt } from './interrupt.js';
import { flag } from './options.js';
import { type Chosen, parse } from './parse.js';
import { clean, styleFor } from './terminal.js';

/** Runs the command line and returns the exit code. Whatever happens is told; nothing is thrown. */
export async function main(args: readonly string[]): Promise<ExitCode> {
  const interrupt = new Interrupt();
  interrupt.watch();
  process.stdout.on('error', onClosedOutput);
  let chosen: Chosen | undefined;
  try {
    chosen = await parse(args.length === 0 ? ['--help'] : args);
    if (chosen === undefined) return args.length === 0 ? 2 : 0;
    const code = await chosen.command.run(chosen.given, standardIo(interrupt.signal));
    return interrupt.exitCode ?? code;
  } catch (error) {
    // A child that the same signal ended may be heard of before the signal itself.
    await setImmediate();
    if (interrupt.exitCode === undefined) return await tell(error, args, chosen);
    process.stderr.write('\ninterrupted; nothing is left half-written\n');
    return interrupt.exitCode;
  } finally {
    interrupt.unwatch();
    process.stdout.off('error', onClosedOutput);
  }
}

/** `| head` has seen enough: that is no error. */
function onClosedOutput(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}

async function tell(error: unknown, args: readonly string[], chosen: Chosen | undefined): Promise<ExitCode> {
  const code = exitCodeOf(error);
  const style = styleFor(process.stderr);
  const wantsJson = (chosen !== undefined && flag(chosen.given, 'json')) || args.includes('--json');
  const verbose = chosen !== undefined && flag(chosen.given, 'verbose');
  const known = error instanceof CompileError && code !== 4;
  const message = error instanceof Error ? error.message : String(error);
  const lines = [`${style.bad(`error[${known ? error.code : 'bug'}]`)}: ${lined(message)}`];
  if (error instanceof CompileError) {
    lines.push(...error.notes.map((note) => `  ${lined(note)}`));
    if (error.hint !== undefined) lines.push(`  ${style.bold('hint:')} ${lined(error.hint)}`);
  }
  if (verbose && error instanceof Error) lines.push(style.dim(lined(error.stack ?? '')));
  let file: string | undefined;
  if (code === 4) {
    file = await writeCrashFile(error, args, modelOf(chosen));
    lines.push(
      `  This is a bug of ours. ${file === undefined ? 'Send this text' : `Send ${file}`} to us, please;`,
    );
    lines.push('  it holds the error, the versions and the options, not the model.');
  }
  process.stderr.write(`${lines.join('\n')}\n`);
  if (wantsJson) {
    const about = error instanceof CompileError ? { hint: error.hint, notes: error.notes } : {};
    const told = { code: known ? error.code : 'bug', message, ...about, crashFile: file };
    process.stdout.write(`${json({ error: told })}\n`);
  }
  return code;
}

function modelOf(chosen: Chosen | undefined): string | undefined {
  const place = chosen?.command.positional?.name;
  const value = place === undefined ? undefined : chosen?.given[place];
  return typeof value === 'string' ? value : undefined;
}

/** Line breaks of our own messages stay; everything else that steers a terminal does not. */
const lined = (text: string): string => text.split('\n').map(clean).join('\n');

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
