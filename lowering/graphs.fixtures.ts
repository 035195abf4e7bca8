import { symbol } from '../src/ir/dim.js';
import { type Graph, graph, inputValue, type Value } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { print } from '../src/ir/print.js';
import { type DType, tensor } from '../src/ir/type.js';
import { constant } from '../src/ops/constant.js';
import { builder } from '../src/ops/op.js';

/** What the tests of passes build graphs with. */
export const b = builder({ format: 'pass', name: 'test' });
export const B = symbol('B', 1, 64);

export const f32 = (name: string, ...shape: readonly (number | typeof B)[]): Value =>
  inputValue(name, tensor('f32', shape));

export const konst = (shape: readonly number[], values: readonly number[], dtype: DType = 'f32'): Value =>
  b(constant, [], { value: literalOf(dtype, shape, values) });

/** A constant with elements 0, 1, 2, … */
export const iota = (...shape: readonly number[]): Value =>
  konst(
    shape,
    Array.from({ length: shape.reduce((p, q) => p * q, 1) }, (_, i) => i),
  );

/** A graph whose inputs are those its results reach. */
export const of = (inputs: readonly Value[], ...outputs: readonly Value[]): Graph => graph(inputs, outputs);

/** The nodes of a graph as text, inputs and symbols left out. */
export const text = (g: Graph): string =>
  print(g)
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => !l.includes('= input(') && !l.startsWith('dim '))
    .join('\n');
