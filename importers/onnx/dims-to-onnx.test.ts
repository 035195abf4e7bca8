import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { i64, run } from '../../fixtures/onnx-importer/material.js';
import { add, apply, type Dim, type DimFunction, mul, substitute, symbol } from '../../src/ir/dim.js';
import { type Binding, emit, graph, inputValue, type Origin } from '../../src/ir/graph.js';
import { tensor } from '../../src/ir/type.js';
import { dims } from '../../src/ops/constant.js';
import { exportOnnx } from './export.js';

const origin: Origin = { format: 'pass', name: 'dims' };
const extent = symbol('N');
const [p, q] = [symbol('p', Number.NEGATIVE_INFINITY), symbol('q', -5, 5)];

const leaves = fc.oneof(fc.constantFrom(extent, p, q), fc.integer({ min: -4, max: 4 }));
const calls = fc.constantFrom<DimFunction>('floordiv', 'mod', 'min', 'max', 'lt', 'eq', 'select');
const dim: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 4 },
    leaves,
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => add(a, b)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => mul(a, b)),
    fc.tuple(calls, tie('dim'), tie('dim'), tie('dim')).map(([fn, a, b, c]) => apply(fn, [a, b, c])),
  ),
})).dim;

const x = inputValue('x', tensor('i64', [extent]));
const bound = inputValue('bound', tensor('i64', [2]));
const bindings = new Map<string, Binding>([
  ['p', { value: bound, element: 0 }],
  ['q', { value: bound, element: 1 }],
]);

async function computed(
  shape: readonly Dim[],
  n: number,
  pq: readonly number[],
): Promise<readonly unknown[]> {
  const out = emit(dims, [], { dims: shape, dtype: 'i64', shape: [shape.length] }, origin).outputs[0]!;
  const model = exportOnnx(graph([x, bound], [out], ['y'], bindings));
  const results = await run(model, {
    x: i64(
      [n],
      Array.from({ length: n }, () => 0),
    ),
    bound: i64([2], pq),
  });
  return results.y!.data;
}

describe('dims written as ONNX nodes', () => {
  it('have the values that the dims have', async () => {
    const samples = fc.record({
      shape: fc.array(dim, { minLength: 1, maxLength: 12 }),
      n: fc.integer({ min: 0, max: 5 }),
      pq: fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -5, max: 5 })),
    });
    await fc.assert(
      fc.asyncProperty(samples, async ({ shape, n, pq }) => {
        const values = new Map<string, Dim>([
          ['N', n],
          ['p', pq[0]],
          ['q', pq[1]],
        ]);
        const expected = shape.map((d) => BigInt(substitute(d, values) as number));
        expect(await computed(shape, n, pq)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it('of numbers alone are constants', () => {
    const out = emit(dims, [], { dims: [2, 3], dtype: 'i32', shape: [1, 2] }, origin).outputs[0]!;
    const { node, initializer } = exportOnnx(graph([], [out])).graph;
    expect(node.map((n) => n.opType)).toEqual(['Cast', 'Reshape']);
    expect(initializer).toHaveLength(2);
  });
});
