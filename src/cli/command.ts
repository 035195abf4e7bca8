import type { Precision } from '../../lowering/precision.js';
import { type InputOptions, readTensor } from '../inputs.js';
import type { ConvertOptions } from '../options.js';
import { Progress } from '../support/progress.js';
import type { TargetName } from '../target.js';
import { parseDims, parseInputs, parseList, parseShapes } from './arguments.js';
import type { ExitCode } from './exit-codes.js';
import { flag, type Given, list, type OptionTable, text, whole } from './options.js';
import { type Style, styleFor } from './terminal.js';

/** A subcommand: its shape for the parser, and what it does. */
export interface Command {
  /** As yargs writes it: `run <dir>`. The first word `$0` marks the command that needs no name. */
  readonly usage: string;
  readonly describe: string;
  readonly positional: { readonly name: string; readonly describe: string } | undefined;
  readonly options: OptionTable;
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  run(given: Given, io: Io): Promise<ExitCode>;
}

/** Where a command's results go, and what ends it. */
export interface Io {
  readonly signal: AbortSignal;
  readonly style: Style;
  print(lines: string | readonly string[]): void;
}

export const standardIo = (signal: AbortSignal): Io => ({
  signal,
  style: styleFor(process.stdout),
  print: (lines) => {
    process.stdout.write(`${typeof lines === 'string' ? lines : lines.join('\n')}\n`);
  },
});

/** JSON has no infinities and no NaN: they become text. */
export const json = (value: unknown): string =>
  JSON.stringify(
    value,
    (_, v: unknown) => {
      if (v instanceof Map) return Object.fromEntries(v);
      return typeof v === 'number' && !Number.isFinite(v) ? String(v) : v;
    },
    1,
  );

/** What `--precision` calls them. */
export const precisions: Readonly<Record<string, Precision>> = { fp16: 'f16', bf16: 'bf16', fp32: 'f32' };

/** The options that `convert`, `diff` and `inspect` share. */
export function conversionOptions(given: Given, io: Io): ConvertOptions {
  return {
    target: text(given, 'target') as TargetName | undefined,
    arch: text(given, 'arch'),
    precision: precisions[text(given, 'precision') ?? ''],
    tf32: flag(given, 'tf32'),
    ioPrecision: precisions[text(given, 'io-precision') ?? ''],
    f32Nodes: parseList(list(given, 'fp32-nodes')),
    shapes: parseShapes(list(given, 'shapes')),
    dims: parseDims(list(given, 'dim')),
    ...importOptions(given),
    fallbackOps: parseList(list(given, 'fallback-ops')),
    fallbackNodes: parseList(list(given, 'fallback-nodes')),
    minBlockSize: whole(given, 'min-block-size', 1),
    threads: whole(given, 'threads', 1),
    seed: whole(given, 'seed', 0),
    signal: io.signal,
    progress: new Progress(),
  };
}

/** The options that say how a PyTorch export is read. */
export const importOptions = (
  given: Given,
): Pick<ConvertOptions, 'program' | 'stateOutputs' | 'decompositions'> => ({
  program: text(given, 'program'),
  stateOutputs: flag(given, 'state-outputs'),
  decompositions: text(given, 'decompositions'),
});

/** The options that say what an engine is fed. */
export function inputOptions(given: Given): InputOptions {
  const files = parseInputs(list(given, 'input'));
  return {
    dataSet: text(given, 'data-set'),
    inputs: new Map([...files].map(([name, path]) => [name, readTensor(path)])),
    seed: whole(given, 'seed', 0),
  };
}

/** Sizes of symbolic dimensions: `batch=4`. */
export function extentsOf(given: Given): ReadonlyMap<string, number> {
  const dims = parseDims(list(given, 'dim'));
  return new Map([...dims].map(([name, { min, max }]) => [name, min === max ? min : Math.max(1, min)]));
}

export const wantsJson = (given: Given): boolean => flag(given, 'json');
