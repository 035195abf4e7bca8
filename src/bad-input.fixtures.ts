import { readdirSync, readFileSync } from 'node:fs';
import { hostileNames } from '../scripts/fuzz/names.js';
import { encodeModel } from './onnx/encode.js';
import { makeGraph, makeModel, makeNode, makeOpset, makeTensor, tensorValue } from './onnx/make.js';
import type { Graph, Model } from './onnx/types.js';

const f32 = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

export const modelOf = (graph: Partial<Graph>): Model =>
  makeModel({ irVersion: 8, opsetImport: [makeOpset('', 17)], graph: makeGraph({ name: 'bad', ...graph }) });

/** y = relu(x + w) in rows of three. */
export const sound: Partial<Graph> = {
  node: [
    makeNode({ opType: 'Add', name: 'plus', input: ['x', 'w'], output: ['sum'] }),
    makeNode({ opType: 'Relu', name: 'clip', input: ['sum'], output: ['y'] }),
  ],
  initializer: [makeTensor('w', 'f32', [3], f32([1, -2, 3]))],
  input: [tensorValue('x', 'f32', ['rows', 3])],
  output: [tensorValue('y', 'f32', ['rows', 3])],
};

/** y = table[i], five rows of two. */
export const lookup: Model = modelOf({
  node: [makeNode({ opType: 'Gather', name: 'look', input: ['table', 'i'], output: ['y'] })],
  initializer: [makeTensor('table', 'f32', [5, 2], f32([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))],
  input: [tensorValue('i', 'i64', ['n'])],
  output: [tensorValue('y', 'f32', ['n', 2])],
});

/** Weights of 4 MB. */
export const heavy: Model = modelOf({
  node: [makeNode({ opType: 'MatMul', input: ['x', 'w'], output: ['y'] })],
  initializer: [makeTensor('w', 'f32', [1024, 1024], new Uint8Array(4 << 20))],
  input: [tensorValue('x', 'f32', [1, 1024])],
  output: [tensorValue('y', 'f32', [1, 1024])],
});

/** Adds 1 as often as there are names, every one of which names a node, a value, a dimension or an input. */
export function hostileModel(): Uint8Array {
  const names = hostileNames.map((name, i) => `${name}${i}`);
  const values = ['in', ...names];
  return encodeModel(
    modelOf({
      name: names[0]!,
      node: names.map((name, i) =>
        makeNode({ opType: 'Add', name: names.at(i - 1)!, input: [values[i]!, 'one'], output: [name] }),
      ),
      initializer: [makeTensor('one', 'f32', [], f32([1]))],
      input: [tensorValue('in', 'f32', [names[1]!, names[2]!])],
      output: names.map((name) => tensorValue(name, 'f32', [names[1]!, names[2]!])),
    }),
  );
}

/** C++ without its comments and literals. */
export function codeOnly(text: string): string {
  const spliced = text.replace(/\\\r?\n/g, '');
  return spliced.replace(
    /R"([^(\s]*)\([\s\S]*?\)\1"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'/g,
    ' ',
  );
}

/** Processes, this one aside, that were started with a text in their environment. */
export const processesOf = (text: string): readonly string[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))
    .flatMap((pid) => {
      try {
        const own = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text);
        return own ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')] : [];
      } catch {
        return [];
      }
    });
