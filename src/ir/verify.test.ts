import { describe, expect, it } from 'vitest';
import { symbol } from './dim.js';
import { type Attrs, emit, type Graph, graph, inputValue, type Node, type Op } from './graph.js';
import { tensor } from './type.js';
import { verifier } from './verify.js';

const copy: Op<Attrs> = { name: 'copy', infer: ([x]) => [x!] };
const opens: Op<Attrs> = { name: 'opens', infer: ([x]) => [tensor(x!.dtype, [symbol('S')])] };
const origin = { format: 'pass', name: 'here' } as const;
const x = inputValue('x', tensor('i64', [symbol('N')]));
const one = (op: Op<Attrs>, attrs: Attrs = {}, from = x) => emit(op, [from], attrs, origin).outputs[0]!;
const verify = verifier([])('imported');

/** A node whose recorded types are what a careless pass made of them. */
function forged(types: readonly ReturnType<typeof tensor>[]): Node {
  const outputs: Node['outputs'][number][] = [];
  const node: Node = { op: copy, inputs: [x], attrs: {}, outputs, origin };
  for (const [index, type] of types.entries()) outputs.push({ node, index, type });
  return node;
}

const other = inputValue('other', tensor('i64', [2]));
const loose = one(copy, {}, other);

const cases: readonly (readonly [what: string, g: Graph, says: RegExp])[] = [
  [
    'wrong types',
    graph([x], forged([tensor('i64', [3])]).outputs),
    /recorded as i64\[3\] but inferred as i64\[N\]/,
  ],
  [
    'results that no node has',
    graph(
      [x],
      [{ ...one(copy), index: 0 }].map((v) => one(copy, {}, v)),
    ),
    /no result of a node/,
  ],
  ['names that are used twice', graph([x], [x, x], ['y', 'y']), /two graph results are named "y"/],
  ['too few names', graph([x], [x, x], ['y']), /2 results have 1 names/],
  ['inputs of one name', graph([x, inputValue('x', tensor('f32', []))], [x]), /two graph inputs/],
  ['an input of another graph', graph([x], [loose]), /"other" is not one of the graph's/],
  ['a node for an input', graph([one(copy)], [one(copy)]), /copy is taken for an input/],
  [
    'an unbound symbol',
    graph([x], [one(copy, { n: symbol('M') })]),
    /value of the symbol M, which copy needs/,
  ],
  ['a symbol of another node', graph([x], [one(copy, {}, one(opens))]), /symbol S/],
  [
    'a binding to an element that does not exist',
    graph(
      [other],
      [one(copy, { n: symbol('M') }, other)],
      ['y'],
      new Map([['M', { value: other, element: 2 }]]),
    ),
    /element 2 of i64\[2\]/,
  ],
  [
    'nodes that wait for one another',
    (() => {
      const first = one(copy, { n: symbol('M') });
      const second = one(copy, {}, one(copy, {}, first));
      return graph([x], [second], ['y'], new Map([['M', { value: one(copy, {}, second), element: 0 }]]));
    })(),
    /waits for/,
  ],
  ['a broken body', graph([x], [one(copy, { body: [graph([], [loose])] })]), /"other" is not one of/],
];

describe('a graph', () => {
  it.each(cases)('with %s is refused', (_, g, says) => {
    expect(() => verify(g)).toThrow(says);
  });

  it('with a symbol that only its producer mentions is accepted', () => {
    expect(() => verify(graph([x], [one(opens)]))).not.toThrow();
  });

  it('is held to the rules of its stage and those before', () => {
    const table = [
      { since: 'lowered', forbids: (n: Node) => (n.op === copy ? 'copies must be gone' : undefined) },
    ] as const;
    const g = graph([x], [one(copy)]);
    expect(() => verifier(table)('imported')(g)).not.toThrow();
    expect(() => verifier(table)('lowered')(g)).toThrow(/copies must be gone/);
    expect(() => verifier(table)('partitioned')(g)).toThrow(/copies must be gone/);
  });
});
