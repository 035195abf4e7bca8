import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call, constant, type Expr } from '../src/ir/expr.js';
import type { Graph, Value } from '../src/ir/graph.js';
import { inputValue, shapeOf } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { matmul } from '../src/ops/matmul.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { softmax } from '../src/ops/softmax.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';
import { recogniseAttention } from './recognise-attention.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());
const pass = recogniseAttention(() => true);

const heads = (name: string): Value => b(transpose, [f32(name, B, 10, 4, 8)], { perm: [0, 2, 1, 3] });
const c = (v: number): Expr => constant(v, 'f32');
const scaled = (v: Value, by: number): Value => b(pointwise, [v], { expr: call('mul', arg(0), c(by)) });
const dot = (p: Value, q: Value, transB = false): Value => b(matmul, [p, q], { transA: false, transB });
const soft = (v: Value): Value => b(softmax, [v], { form: 'softmax', axis: 3 });
const add = (p: Value, q: Value): Value => b(pointwise, [p, q], callOf('add', 2));
const [q, k, v] = [heads('q'), heads('k'), heads('v')];
const inputs = [q, k, v].map((x) => x.node.inputs[0]!);

async function check(g: Graph): Promise<string> {
  const after = pass.run(g);
  expect(await sameMeaning(g, after, 4, reference)).toEqual([]);
  return text(after);
}

test('scores that are divided and masked', async () => {
  const mask = f32('mask', B, 1, 1, 10);
  const scores = b(pointwise, [dot(q, k, true)], { expr: call('div', arg(0), c(2)) });
  const y = b(transpose, [dot(soft(add(scores, mask)), v)], { perm: [0, 2, 1, 3] });
  expect(await check(of([...inputs, mask], y))).toMatchInlineSnapshot(`
    "%4 = attention(%0, %1, %2, %3, scale=0.5, softcap=0, mask=true, lengths=false, rowsFirst=[true, true, true, true]) : f32[B,10,4,8]
    return %4"
  `);
});

test('queries and keys that are scaled, keys transposed at once, a guard behind the softmax', async () => {
  const keys = b(transpose, [inputs[1]!], { perm: [0, 2, 3, 1] });
  const guard = call('select', call('isnan', arg(0)), c(0), arg(0));
  const weights = soft(dot(scaled(q, 0.5), scaled(keys, 0.5)));
  const p = b(pointwise, [weights], { expr: guard });
  const isNan = b(pointwise, [weights], callOf('isnan', 1));
  const apart = b(pointwise, [isNan, weights], { expr: call('select', arg(0), c(0), arg(1)) });
  expect(text(pass.run(of(inputs, dot(apart, v))))).toContain('attention(');
  expect(await check(of(inputs, dot(p, v)))).toMatchInlineSnapshot(`
    "%3 = attention(%0, %1, %2, scale=0.25, softcap=0, mask=false, lengths=false, rowsFirst=[true, true, true, false]) : f32[B,4,10,8]
    return %3"
  `);
});

test('a mask of truth values that selects', async () => {
  const mask = inputValue('mask', tensor('bool', [B, 1, 10, 10]));
  const masked = b(pointwise, [mask, scaled(dot(q, k, true), 0.3)], {
    expr: call('select', arg(0), arg(1), c(-1e9)),
  });
  expect(await check(of([...inputs, mask], dot(soft(masked), v)))).toMatchInlineSnapshot(`
    "%4 = pointwise(%3, expr={select($0, 0:f32, -1000000000:f32)}) : f32[B,1,10,10]
    %5 = attention(%0, %1, %2, %4, scale=0.3, softcap=0, mask=true, lengths=false, rowsFirst=[true, true, true, false]) : f32[B,4,10,8]
    return %5"
  `);
});

test('one number added to all scores changes nothing', async () => {
  const shifted = b(pointwise, [dot(q, k, true)], { expr: call('add', arg(0), c(0)) });
  expect(await check(of(inputs, dot(soft(shifted), v)))).toContain('mask=false');
});

test('three axes are one head', async () => {
  const [x, y, z] = ['x', 'y', 'z'].map((n) => f32(n, B, 6, 8)) as [Value, Value, Value];
  const p = b(softmax, [dot(x, y, true)], { form: 'softmax', axis: 2 });
  expect(await check(of([x, y, z], dot(p, z)))).toMatchInlineSnapshot(`
    "%3 = reshape(%0, shape=[B, 1, 6, 8]) : f32[B,1,6,8]
    %4 = reshape(%1, shape=[B, 1, 6, 8]) : f32[B,1,6,8]
    %5 = reshape(%2, shape=[B, 1, 6, 8]) : f32[B,1,6,8]
    %6 = attention(%3, %4, %5, scale=1, softcap=0, mask=false, lengths=false, rowsFirst=[false, false, false, false]) : f32[B,1,6,8]
    %7 = reshape(%6, shape=[B, 6, 8]) : f32[B,6,8]
    return %7"
  `);
});

test('what only resembles it stays', () => {
  const scores = dot(q, k, true);
  const p = soft(scores);
  const others = [
    of(inputs, dot(p, v), p),
    of(inputs, dot(b(softmax, [scores], { form: 'softmax', axis: 2 }), v)),
    of([...inputs], dot(soft(b(pointwise, [scores], callOf('exp', 1))), v)),
    of([...inputs], dot(soft(add(scores, f32('column', B, 1, 10, 1))), v)),
    of(inputs, dot(soft(dot(q, f32('wide', B, 4, 8, 10))), v)),
  ];
  for (const g of others) expect(pass.run(g)).toBe(g);
  const refused = of(inputs, dot(p, v));
  expect(recogniseAttention(() => false).run(refused)).toBe(refused);
});

test('keys transposed before samples and heads are told apart, as PyTorch splits them', async () => {
  const own = ['q', 'k', 'v'].map((name) => f32(name, 7, 6, 4));
  const split = (i: number, perm: readonly number[]): Value => {
    const turned = b(transpose, [own[i]!], { perm });
    return b(reshape, [turned], { shape: [3, 2, ...shapeOf(turned).slice(1)] });
  };
  const weights = soft(dot(split(0, [1, 0, 2]), split(1, [1, 2, 0])));
  const after = await check(of(own, dot(weights, split(2, [1, 0, 2]))));
  expect(after).toContain('attention(');
  expect(after).not.toContain('matmul(');
});
