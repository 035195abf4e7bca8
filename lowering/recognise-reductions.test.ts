import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call, constant, type Expr, type ScalarFunction } from '../src/ir/expr.js';
import type { Value } from '../src/ir/graph.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { type ReduceKind, reduce } from '../src/ops/reduce.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, f32, konst, of, text } from './graphs.fixtures.js';
import { recogniseReductions } from './recognise-reductions.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const run = (v: Value): string => text(recogniseReductions.run(of([x], v)));
const x = f32('x', B, 6, 16);
const wave = (n: number, phase: number): Value =>
  konst(
    [n],
    Array.from({ length: n }, (_, i) => 1 + Math.sin(i + phase)),
  );
const [gamma, beta] = [wave(16, 1), wave(16, 2)];
const do1 = (fn: ScalarFunction, a: Value): Value => b(pointwise, [a], callOf(fn, 1));
const do2 = (fn: ScalarFunction, p: Value, q: Value): Value => b(pointwise, [p, q], callOf(fn, 2));
const with1 = (expr: Expr, a: Value): Value => b(pointwise, [a], { expr });
const c = (v: number): Expr => constant(v, 'f32');
const over = (kind: ReduceKind, v: Value, axes: readonly number[] = [2]): Value =>
  b(reduce, [v], { kind, axes, keepdims: true });

const mean = over('mean', x);
const centred = do2('sub', x, mean);
const variance = over('mean', with1(call('mul', arg(0), arg(0)), centred));
const shifted = with1(call('add', arg(0), c(1e-5)), variance);

test('layer norm as PyTorch spells it', async () => {
  const normal = do2('div', centred, do1('sqrt', shifted));
  const y = do2('add', do2('mul', normal, gamma), beta);
  expect(run(y)).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[16] #6cadb72bb21ffbf6) : f32[16]
    %2 = constant(value=f32[16] #e05bb8dc7a803560) : f32[16]
    %3 = layer_norm(%0, %1, %2, axis=2, epsilon=0.00001, stats=false) : f32[B,6,16]
    return %3"
  `);
  const g = of([x], do1('tanh', y));
  expect(await sameMeaning(g, recogniseReductions.run(g), 1, reference)).toEqual([]);
});

test('layer norm as TensorFlow spells it: the scale first, the mean last', () => {
  const factor = do2('mul', do1('rsqrt', shifted), gamma);
  const rest = do2('sub', beta, do2('mul', mean, factor));
  expect(run(do2('add', do2('mul', x, factor), rest))).toContain('layer_norm(');
});

test('layer norm without parameters gets a scale of ones', () => {
  expect(run(do2('mul', centred, do1('rsqrt', shifted)))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[16] #f9f6813ea8c296c0) : f32[16]
    %2 = layer_norm(%0, %1, axis=2, epsilon=0.00001, stats=false) : f32[B,6,16]
    return %2"
  `);
});

test('RMS norm', async () => {
  const squares = over('mean', with1(call('mul', arg(0), arg(0)), x));
  const root = with1(call('rsqrt', call('add', arg(0), c(1e-6))), squares);
  const y = do2('mul', gamma, do2('mul', x, root));
  expect(run(y)).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[16] #6cadb72bb21ffbf6) : f32[16]
    %2 = rms_norm(%0, %1, axis=2, epsilon=0.000001) : f32[B,6,16]
    return %2"
  `);
  const g = of([x], y);
  expect(await sameMeaning(g, recogniseReductions.run(g), 2, reference)).toEqual([]);
});

test('softmax, and its logarithm, along any axis', async () => {
  const below = do2('sub', x, over('max', x, [1]));
  const sum = over('sum', do1('exp', below), [1]);
  const soft = do2('div', do1('exp', below), sum);
  const log = do2('sub', below, do1('log', sum));
  const g = of([x], soft, log);
  expect(text(recogniseReductions.run(g))).toMatchInlineSnapshot(`
    "%1 = softmax(%0, form="softmax", axis=1) : f32[B,6,16]
    %2 = softmax(%0, form="log", axis=1) : f32[B,6,16]
    return %1, %2"
  `);
  expect(await sameMeaning(g, recogniseReductions.run(g), 3, reference)).toEqual([]);
});

test('L2 normalisation with a guard', () => {
  const sum = over('sum', with1(call('mul', arg(0), arg(0)), x));
  const norm = with1(call('max', call('sqrt', arg(0)), c(1e-12)), sum);
  expect(run(do2('div', x, norm))).toMatchInlineSnapshot(`
    "%1 = lp_norm(%0, p=2, axis=2) : f32[B,6,16]
    return %1"
  `);
});

test('what only resembles them stays', () => {
  const other = over('mean', do1('abs', centred));
  const wide = over('mean', with1(call('mul', arg(0), arg(0)), do2('sub', x, over('mean', x, [1]))));
  const exp = do1('exp', x);
  const g = of(
    [x],
    do2('div', centred, do1('sqrt', other)),
    do2('div', centred, do1('sqrt', wide)),
    // Without the maximum the powers overflow, and that is kept.
    do2('div', exp, over('sum', exp)),
    do2('mul', do2('div', centred, do1('sqrt', shifted)), f32('per_row', 6, 1)),
  );
  const after = text(recogniseReductions.run(g));
  expect(after).not.toContain('softmax');
  expect(after.match(/layer_norm/g)).toHaveLength(1);
});
