import { expect, test } from 'vitest';
import { arg, call, cast, castsOf, type Expr, constant as num } from '../src/ir/expr.js';
import { graph, inputValue, topological, type Value } from '../src/ir/graph.js';
import { showType, tensor } from '../src/ir/type.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { b, f32, text } from './graphs.fixtures.js';
import { narrowFloats } from './precision.js';
import { randomGraph } from './random-graph.fixtures.js';
import { verify } from './rules.js';
import { withWideFloats } from './wide-floats.js';

const types = (values: readonly Value[]): readonly string[] => values.map((v) => showType(v.type));
const narrow = narrowFloats({ precision: 'bf16', compiles: () => true, keeps: () => false });

test('of a graph that was narrowed nothing but the conversions is bf16', async () => {
  for (let seed = 0; seed < 200; seed++) {
    const g = await narrow.run(randomGraph(seed));
    const now = withWideFloats(g);
    verify('lowered')(now);
    expect([types(now.inputs), types(now.outputs)]).toEqual([types(g.inputs), types(g.outputs)]);
    const stored = topological(now).filter((n) => n.outputs.some((v) => /^bf16/.test(showType(v.type))));
    expect({ seed, stored: stored.map((n) => n.op.name) }).toEqual({ seed, stored: [] });
  }
});

test('ports keep their types, and conversions to bf16 round as before', () => {
  const x = inputValue('x', tensor('bf16', [4]));
  const y = b(pointwise, [b(pointwise, [x], callOf('exp', 1))], callOf('abs', 1));
  const now = withWideFloats(graph([x], [y], ['y']));
  verify('lowered')(now);
  expect(topological(now).map((n) => showType(n.outputs[0]!.type))).toEqual([
    'bf16[4]',
    'f32[4]',
    'f32[4]',
    'f32[4]',
    'bf16[4]',
  ]);
  const rounded = b(pointwise, [f32('v', 4)], { expr: cast('f32', cast('bf16', arg(0))) });
  const kept = withWideFloats(graph([rounded.node.inputs[0]!], [rounded], ['r'])).outputs[0]!.node;
  const chosen = b(pointwise, [inputValue('c', tensor('bool', [4]))], {
    expr: cast('f16', call('select', arg(0), num(0, 'bf16'), num(-1, 'bf16'))),
  });
  const choice = withWideFloats(graph([chosen.node.inputs[0]!], [chosen], ['r']));
  expect(text(choice)).not.toContain('bf16');
  expect(castsOf(kept.attrs['expr'] as Expr)).toContain('bf16');
});

test('what tells an extent that nobody asks for is no hindrance', () => {
  const count = inputValue('count', tensor('i64', [1]));
  const told = b(pointwise, [count], callOf('abs', 1));
  const x = inputValue('x', tensor('bf16', [4]));
  const bindings = new Map([['K', { value: told, element: 0 }]]);
  const g = graph([x], [b(pointwise, [x], callOf('exp', 1))], ['y'], bindings);
  expect(types(withWideFloats(g).outputs)).toEqual(['bf16[4]']);
});
