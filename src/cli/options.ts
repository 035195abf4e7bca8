import type { Options } from 'yargs';
import { CompileError } from '../support/diagnostic.js';

/** Options by name, as yargs takes them. */
export type OptionTable = Readonly<Record<string, Options>>;

/** What a command was given, checked by yargs against its table. */
export type Given = Readonly<Record<string, unknown>>;

const once: Options = { type: 'string', requiresArg: true };
const many: Options = { type: 'string', array: true, requiresArg: true };

export const common: OptionTable = {
  json: { type: 'boolean', describe: 'print the result as JSON on standard output' },
  verbose: { type: 'boolean', alias: 'v', describe: 'say more, errors with their stack' },
};

/** How a PyTorch export is read. */
export const imports: OptionTable = {
  program: { ...once, describe: 'which program of a PyTorch archive that holds several' },
  'state-outputs': {
    type: 'boolean',
    describe: 'what a PyTorch program changes, buffers and inputs, becomes outputs as well: state.NAME',
  },
  decompositions: {
    ...once,
    describe: 'JSON or JavaScript file that says what operators of a PyTorch program are in terms of others',
  },
};

export const target: OptionTable = {
  target: {
    ...once,
    choices: ['cpu', 'cuda', 'rocm', 'emulated'],
    describe: 'what the engine runs on',
    defaultDescription: 'cpu',
  },
  arch: {
    ...once,
    describe: 'processor: native, x86-64-v3, …; or GPUs: sm_80,sm_90a',
    defaultDescription: 'native',
  },
  precision: {
    ...once,
    choices: ['fp16', 'bf16', 'fp32'],
    describe: 'what a GPU stores floats in',
    defaultDescription: 'fp16',
  },
  tf32: {
    type: 'boolean',
    describe: 'products and convolutions in fp32 may round their operands to TF32, on NVIDIA GPUs',
  },
  'io-precision': {
    ...once,
    choices: ['fp16', 'bf16', 'fp32', 'model'],
    describe: 'type of the inputs and outputs of floats',
    defaultDescription: 'model',
  },
  'fp32-nodes': { ...many, describe: 'nodes that stay in fp32, and exact, by name' },
  shapes: {
    ...many,
    describe: 'shape of an input, name:1x3x224x224; a name for an extent keeps it symbolic',
  },
  dim: { ...many, describe: 'range of a symbolic dimension, batch=1..32, or its value, batch=4' },
  ...imports,
};

export const partition: OptionTable = {
  'fallback-ops': { ...many, describe: 'operators left to onnxruntime: Softmax,TopK' },
  'fallback-nodes': { ...many, describe: 'nodes left to onnxruntime, by name' },
  'min-block-size': {
    ...once,
    alias: 'min-acc-module-size',
    describe: 'compiled segments with fewer nodes are left to onnxruntime',
  },
};

export const threads: OptionTable = {
  threads: { ...once, describe: 'threads to use', defaultDescription: 'the physical cores' },
};

export const inputs: OptionTable = {
  'data-set': { ...once, describe: 'folder with input_0.pb, input_1.pb, …', conflicts: 'input' },
  input: { ...many, describe: 'value of an input, name=@x.npy or name=@x.pb' },
  seed: { ...once, describe: 'seed of random inputs, where none are given', defaultDescription: '0' },
};

export const extents: OptionTable = {
  dim: { ...many, describe: 'size of a symbolic dimension of random inputs, batch=4' },
};

export const model: OptionTable = {
  model: { ...once, describe: 'the model the engine was made from, where it is not found by itself' },
};

export const output: Options = { ...once, alias: 'o', describe: 'directory to write' };

export const list = (given: Given, name: string): readonly string[] =>
  Array.isArray(given[name]) ? given[name].map(String) : [];

export const flag = (given: Given, name: string): boolean => given[name] === true;

export const text = (given: Given, name: string): string | undefined =>
  typeof given[name] === 'string' ? given[name] : undefined;

/** A whole number of at least `least`. */
export function whole(given: Given, name: string, least: number): number | undefined {
  const value = text(given, name);
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new CompileError(
    'bad-option',
    `--${name} ${JSON.stringify(value)} is not a whole number of at least ${least}`,
  );
}

/** A number of at least zero. */
export function amount(given: Given, name: string): number | undefined {
  const value = text(given, name);
  if (value === undefined) return undefined;
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new CompileError('bad-option', `--${name} ${JSON.stringify(value)} is not a number of at least 0`);
}
