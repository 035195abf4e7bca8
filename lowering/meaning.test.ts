import { afterAll, expect, test } from 'vitest';
import { feedsFor, resultsOf, sameMeaning } from '../scripts/meaning.js';
import { evaluateOnReference } from '../src/evaluate.js';
import { mul } from '../src/ir/dim.js';
import { arg, call, constant, type Expr, type ScalarFunction } from '../src/ir/expr.js';
import { type Graph, inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { concat } from '../src/ops/concat.js';
import { conv } from '../src/ops/conv.js';
import { expand } from '../src/ops/expand.js';
import { gather } from '../src/ops/gather.js';
import { matmul } from '../src/ops/matmul.js';
import { layerNorm } from '../src/ops/norm.js';
import { pad } from '../src/ops/pad.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { dequantize, quantize } from '../src/ops/quantize.js';
import { reduce } from '../src/ops/reduce.js';
import { reshape } from '../src/ops/reshape.js';
import { slicedAxis } from '../src/ops/slice.js';
import { softmax } from '../src/ops/softmax.js';
import { transpose } from '../src/ops/transpose.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { B, b, f32, konst, of } from './graphs.fixtures.js';
import { pipeline } from './pipeline.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());
const passes = pipeline({ fold: (g) => evaluateOnReference(g, reference), compiles: () => true });

const weights = (...shape: readonly number[]): Value =>
  konst(
    shape,
    Array.from({ length: shape.reduce((p, q) => p * q, 1) }, (_, i) => Math.sin(i * 1.7 + shape.length) / 3),
  );
const c = (v: number): Expr => constant(v, 'f32');
const do1 = (fn: ScalarFunction, a: Value): Value => b(pointwise, [a], callOf(fn, 1));
const do2 = (fn: ScalarFunction, p: Value, q: Value): Value => b(pointwise, [p, q], callOf(fn, 2));
const scalar = (fn: ScalarFunction, a: Value, v: number): Value => do2(fn, a, konst([], [v]));
const conved = (x: Value, w: Value, groups = 1): Value => {
  const kernel = (w.type as { shape: readonly number[] }).shape.slice(2);
  const pads = [...kernel, ...kernel].map((k) => Math.floor(k / 2));
  return b(conv, [x, w], { kernel, strides: [1, 1], pads, dilations: [1, 1], groups, layout: 'NCX' });
};
const dot = (p: Value, q: Value): Value => b(matmul, [p, q], { transA: false, transB: false });

/** A block of a mobile network: batch norms, hard swish, squeeze and excitation, a residual, a branch. */
function mobile(): Graph {
  const x = f32('x', B, 4, 9, 8);
  const scaled = do2(
    'add',
    do2('mul', conved(x, weights(6, 4, 1, 1)), weights(6, 1, 1)),
    weights(1, 6, 1, 1),
  );
  const gate = scalar('min', scalar('max', scalar('add', scaled, 3), 0), 6);
  const swish = scalar('div', do2('mul', scaled, gate), 6);
  const deep = conved(
    b(pad, [swish], { before: [0, 0, 1, 0], after: [0, 0, 1, 0], mode: 'constant' }),
    weights(6, 1, 3, 3),
    6,
  );
  const cut = slicedAxis(b, deep, 2, 1, 9);
  const mean = b(reduce, [cut], { kind: 'mean', axes: [2, 3], keepdims: true });
  const excited = do2('mul', cut, do1('sigmoid', conved(mean, weights(6, 6, 1, 1))));
  const sum = do2('add', conved(excited, weights(4, 6, 1, 1)), x);
  const joined = b(concat, [sum, do1('tanh', x)], { axis: 1 });
  return of([x], joined, b(reduce, [joined], { kind: 'max', axes: [1], keepdims: false }));
}

/** A block of a transformer, as exporters spell it. */
function transformer(): Graph {
  const x = f32('x', B, 7, 16);
  const mask = inputValue('mask', tensor('i64', [B, 7]));
  const mean = b(reduce, [x], { kind: 'mean', axes: [2], keepdims: true });
  const centred = do2('sub', x, mean);
  const variance = b(reduce, [scalar('pow', centred, 2)], { kind: 'mean', axes: [-1], keepdims: true });
  const normal = do2('div', centred, do1('sqrt', scalar('add', variance, 1e-5)));
  const h = do2('add', do2('mul', normal, weights(16)), weights(16));
  const heads = (w: Value): Value => {
    const split = b(reshape, [do2('add', dot(h, w), weights(16))], { shape: [B, 7, 4, 4] });
    return b(transpose, [split], { perm: [0, 2, 1, 3] });
  };
  const flat = b(reshape, [heads(weights(16, 16))], { shape: [mul(4, B), 7, 4] });
  const k = b(reshape, [b(transpose, [flat], { perm: [0, 2, 1] })], { shape: [B, 4, 4, 7] });
  const hidden = b(pointwise, [b(reshape, [mask], { shape: [B, 1, 1, 7] })], {
    expr: call('select', call('eq', arg(0), constant(0n, 'i64')), c(-1e9), c(0)),
  });
  const scores = do2('add', scalar('div', dot(heads(weights(16, 16)), k), 2), hidden);
  const mixed = dot(b(softmax, [scores], { form: 'softmax', axis: 3 }), heads(weights(16, 16)));
  const rows = b(reshape, [b(transpose, [mixed], { perm: [0, 2, 1, 3] })], { shape: [B, 7, 16] });
  const y = do2('add', do2('add', dot(rows, weights(16, 16)), weights(16)), x);
  const z = b(layerNorm, [y, weights(16), weights(16)], { axis: 2, epsilon: 1e-5, stats: false });
  const wide = dot(z, weights(16, 32));
  const half = scalar('mul', scalar('add', do1('erf', scalar('div', wide, Math.SQRT2)), 1), 0.5);
  return of([x, mask], do2('add', dot(do2('mul', wide, half), weights(32, 16)), y));
}

/** Quantised weights and activations, an embedding, constants that grow. */
function quantised(): Graph {
  const ids = inputValue('ids', tensor('i64', [B, 5]));
  const bytes = (...shape: readonly number[]): Value =>
    konst(
      shape,
      Array.from({ length: shape.reduce((p, q) => p * q, 1) }, (_, i) => ((i * 71) % 251) - 125),
      'i8',
    );
  const real = (v: Value, scale: number, axis = 1): Value =>
    b(dequantize, [v, konst([], [scale])], { axis, block: 0, to: 'f32' });
  const byte = (v: Value): Value =>
    b(quantize, [v, konst([], [0.05]), konst([], [0], 'i8')], {
      axis: 1,
      block: 0,
      to: 'i8',
      saturate: true,
      precision: undefined,
    });
  const rows = b(gather, [real(bytes(2000, 40), 0.01), ids], { axis: 0 });
  const x = real(byte(rows), 0.05);
  const y = do2('add', dot(x, real(bytes(40, 8), 0.02)), real(bytes(8), 0.5, 0));
  const ones = b(expand, [konst([], [0.5])], { shape: [B, 5, 8] });
  return of([ids], do2('mul', real(byte(y), 0.05), ones));
}

test.each([
  ['a mobile network', mobile()],
  ['a transformer', transformer()],
  ['a quantised model', quantised()],
] as const)('every pass keeps the meaning of %s', async (_, g) => {
  let now = g;
  const changed = new Set<string>();
  for (const pass of passes) {
    const next = await pass.run(now);
    if (next !== now) {
      changed.add(pass.name);
      for (const seed of [1, 2])
        expect({ pass: pass.name, differences: await sameMeaning(g, next, seed, reference) }).toEqual({
          pass: pass.name,
          differences: [],
        });
    }
    now = next;
  }
  expect(changed.size).toBeGreaterThan(4);
});

test('a change of meaning is noticed', async () => {
  const x = f32('x', B, 4);
  const differences = await sameMeaning(of([x], do1('exp', x)), of([x], do1('tanh', x)), 1, reference);
  expect(differences).toHaveLength(1);
  const feeds = feedsFor(of([x], x), 3);
  expect([...(await resultsOf(of([x], x), feeds, reference)).keys()]).toEqual(['output_0']);
});
