import { expect, test } from 'vitest';
import { arg, call, cast, constant as num } from '../src/ir/expr.js';
import { graph, input, inputValue, is, type Node, topological, type Value } from '../src/ir/graph.js';
import { type DType, showType, tensor } from '../src/ir/type.js';
import { argReduce } from '../src/ops/arg-reduce.js';
import { concat } from '../src/ops/concat.js';
import { if_ } from '../src/ops/control-flow.js';
import { gather } from '../src/ops/gather.js';
import { matmul } from '../src/ops/matmul.js';
import { oneHot } from '../src/ops/one-hot.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { resize, resizeExtents } from '../src/ops/resize.js';
import { gridSample } from '../src/ops/sampling.js';
import { shapeOfValue } from '../src/ops/shape.js';
import { softmax } from '../src/ops/softmax.js';
import { transpose } from '../src/ops/transpose.js';
import { decoderOf } from '../src/support/tensor-data.js';
import { B, b, f32, konst, of, text } from './graphs.fixtures.js';
import { literalAt } from './literals.js';
import { narrowFloats, type PrecisionOptions } from './precision.js';
import { randomGraph } from './random-graph.fixtures.js';
import { verify } from './rules.js';

const pass = (options: Partial<PrecisionOptions> = {}) =>
  narrowFloats({ precision: 'f16', compiles: () => true, keeps: () => false, ...options });
const x = f32('x', B, 8);
const whole = (name: string, dtype: DType, ...shape: readonly (number | typeof B)[]): Value =>
  inputValue(name, tensor(dtype, shape));
const product = (a: Value, w: Value): Value => b(matmul, [a, w], { transA: false, transB: false });
const w = konst(
  [8, 8],
  Array.from({ length: 64 }, (_, i) => i / 8),
);

/** What the pass makes, sound as the lowering promises. */
function narrowed(outputs: readonly Value[], options: Partial<PrecisionOptions> = {}) {
  const inputs = topological(of([], ...outputs)).filter((n) => is(n, input));
  const g = pass(options).run(
    of(
      inputs.map((n) => n.outputs[0]!),
      ...outputs,
    ),
  );
  if (g instanceof Promise) throw new TypeError('the pass needs no time');
  verify('lowered')(g);
  return g;
}

/** The elements of the constants of a type. */
function constants(outputs: readonly Value[], dtype: DType): readonly (readonly number[])[] {
  return topological(narrowed(outputs, { precision: dtype === 'bf16' ? 'bf16' : 'f16' })).flatMap((n) => {
    const l = literalAt(n.outputs[0]!);
    if (l?.dtype !== dtype) return [];
    const values = new Float64Array(l.size);
    decoderOf(dtype, l.bytes())!(0, l.size, values);
    return [[...values]];
  });
}

test('what is stored is narrow, and the model’s own inputs and outputs keep their types', () => {
  const y = b(softmax, [product(x, w)], { form: 'softmax', axis: 1 });
  expect(text(narrowed([y]))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={f16($0)}) : f16[B,8]
    %2 = constant(value=f16[8,8] #b08a48f7934680e1) : f16[8,8]
    %3 = matmul(%1, %2, transA=false, transB=false) : f16[B,8]
    %4 = softmax(%3, form="softmax", axis=1) : f16[B,8]
    %5 = pointwise(%4, expr={f32($0)}) : f32[B,8]
    return %5"
  `);
});

test('in bf16 as well', () => {
  expect(text(narrowed([b(pointwise, [x], callOf('exp', 1))], { precision: 'bf16' }))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={bf16($0)}) : bf16[B,8]
    %2 = pointwise(%1, expr={exp($0)}) : bf16[B,8]
    %3 = pointwise(%2, expr={f32($0)}) : f32[B,8]
    return %3"
  `);
});

test('constants beyond the range become the largest number, infinities and NaN stay', () => {
  const values = [1e5, -3.4e38, 65504, 65519, 1 / 3, 6e-8, 1e-9, -0, Infinity, -Infinity, Number.NaN];
  const sum = (): Value => b(pointwise, [f32('v', 11), konst([11], values)], callOf('add', 2));
  const third = 1365 / 4096;
  expect(constants([sum()], 'f16')).toEqual([
    [65504, -65504, 65504, 65504, third, 2 ** -24, 0, -0, Infinity, -Infinity, Number.NaN],
  ]);
  const largest = 2 ** 127 * (2 - 2 ** -7);
  expect(constants([sum()], 'bf16')[0]!.slice(0, 4)).toEqual([99840, -largest, 65536, 65536]);
  // In an expression as well: the floor of a mask.
  const masked = b(pointwise, [x, whole('m', 'bool', B, 8)], {
    expr: call('select', arg(1), arg(0), num(-3.4028234663852886e38, 'f32')),
  });
  expect(text(narrowed([masked]))).toContain('select($1, $0, -65504:f16)');
});

test('every f32 value rounds to the nearest f16, ties to even', () => {
  const steps = Array.from({ length: 4000 }, (_, i) =>
    Math.fround((i - 2000) * 1.000123 * 2 ** ((i % 40) - 25)),
  );
  const ties = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25, 2048 + 1, 2048 + 3, 65519.99];
  const values = [...steps, ...ties].map(Math.fround);
  const sum = b(pointwise, [f32('v', values.length), konst([values.length], values)], callOf('add', 2));
  const [got] = constants([sum], 'f16');
  const wrong = values.filter((v, i) => got![i] !== nearest(v));
  expect(wrong).toEqual([]);
});

/** By definition: a whole number of units of the exponent, ties to even. */
function nearest(v: number): number {
  if (Math.abs(v) > 65504) return Math.sign(v) * 65504;
  const unit = 2 ** Math.max(-24, Math.floor(Math.log2(Math.abs(v) || 1e-30)) - 10);
  const n = v / unit;
  const even = 2 * Math.round(n / 2);
  return (Math.abs(n - Math.trunc(n)) === 0.5 ? even : Math.round(n)) * unit;
}

test('integers, truth values and f64 are nobody’s business', () => {
  const i = whole('i', 'i64', B);
  const d = whole('d', 'f64', B);
  const g = of(
    [i, d],
    b(pointwise, [i, konst([], [70000], 'i64')], callOf('mul', 2)),
    b(pointwise, [d, konst([], [1e300], 'f64')], callOf('mul', 2)),
    b(pointwise, [i, i], callOf('eq', 2)),
  );
  expect(text(pass().run(g) as typeof g)).toEqual(text(g));
});

test('indices stay integers beside a narrow table', () => {
  const row = b(gather, [w, whole('i', 'i64', B)], { axis: 0 });
  expect(text(narrowed([b(pointwise, [row], callOf('neg', 1))]))).toMatchInlineSnapshot(`
    "%1 = constant(value=f16[8,8] #b08a48f7934680e1) : f16[8,8]
    %2 = gather(%1, %0, axis=0) : f16[B,8]
    %3 = pointwise(%2, expr={neg($0)}) : f16[B,8]
    %4 = pointwise(%3, expr={f32($0)}) : f32[B,8]
    return %4"
  `);
});

test('a node that the target refuses in 16 bits stays in f32 between casts', () => {
  const sums = b(reduce, [product(x, w)], { kind: 'sum', axes: [1], keepdims: true });
  const compiles = (n: Node): boolean => n.op !== reduce || n.outputs[0]!.type.kind !== 'tensor' || !is16(n);
  const y = b(pointwise, [sums], callOf('exp', 1));
  expect(text(narrowed([y], { compiles }))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={f16($0)}) : f16[B,8]
    %2 = constant(value=f16[8,8] #b08a48f7934680e1) : f16[8,8]
    %3 = matmul(%1, %2, transA=false, transB=false) : f16[B,8]
    %4 = pointwise(%3, expr={f32($0)}) : f32[B,8]
    %5 = reduce(%4, kind="sum", axes=[1], keepdims=true) : f32[B,1]
    %6 = pointwise(%5, expr={f16($0)}) : f16[B,1]
    %7 = pointwise(%6, expr={exp($0)}) : f16[B,1]
    %8 = pointwise(%7, expr={f32($0)}) : f32[B,1]
    return %8"
  `);
});

const is16 = (n: Node): boolean =>
  [...n.inputs, ...n.outputs].some((v) => v.type.kind === 'tensor' && v.type.dtype === 'f16');

test('nodes of the user’s choice stay in f32, with their constants', () => {
  const first = product(x, w);
  const y = product(b(pointwise, [first], callOf('tanh', 1)), w);
  const keeps = (n: Node): boolean => n === first.node;
  expect(text(narrowed([y], { keeps }))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[8,8] #c1d52bfdc41c51d9) : f32[8,8]
    %2 = matmul(%0, %1, transA=false, transB=false) : f32[B,8]
    %3 = pointwise(%2, expr={f16($0)}) : f16[B,8]
    %4 = pointwise(%3, expr={tanh($0)}) : f16[B,8]
    %5 = constant(value=f16[8,8] #b08a48f7934680e1) : f16[8,8]
    %6 = matmul(%4, %5, transA=false, transB=false) : f16[B,8]
    %7 = pointwise(%6, expr={f32($0)}) : f32[B,8]
    return %7"
  `);
  expect(text(narrowed([y], { keeps: () => true }))).toEqual(text(of([], y)));
});

test('positions and the angles made of them stay in f32', () => {
  const position = b(pointwise, [whole('i', 'i64', 1, 1, B)], { expr: cast('f32', arg(0)) });
  const angle = product(konst([1, 4, 1], [1, 0.1, 0.01, 0.001]), position);
  const turned = b(pointwise, [b(transpose, [angle], { perm: [0, 2, 1] })], callOf('cos', 1));
  expect(
    text(narrowed([b(pointwise, [turned, f32('q', 1, B, 4)], callOf('mul', 2))])),
  ).toMatchInlineSnapshot(`
    "%2 = constant(value=f32[1,4,1] {1, 0.10000000149011612, 0.009999999776482582, 0.0010000000474974513}) : f32[1,4,1]
    %3 = pointwise(%0, expr={f32($0)}) : f32[1,1,B]
    %4 = matmul(%2, %3, transA=false, transB=false) : f32[1,4,B]
    %5 = transpose(%4, perm=[0, 2, 1]) : f32[1,B,4]
    %6 = pointwise(%5, expr={cos($0)}) : f32[1,B,4]
    %7 = pointwise(%6, expr={f16($0)}) : f16[1,B,4]
    %8 = pointwise(%1, expr={f16($0)}) : f16[1,B,4]
    %9 = pointwise(%7, %8, expr={mul($0, $1)}) : f16[1,B,4]
    %10 = pointwise(%9, expr={f32($0)}) : f32[1,B,4]
    return %10"
  `);
});

test('so do the angles of a given time, but not what has other readers', () => {
  const angle = b(pointwise, [f32('t', B, 1), konst([4], [1, 0.1, 0.01, 0.001])], callOf('mul', 2));
  const [sine, cosine] = [b(pointwise, [angle], callOf('sin', 1)), b(pointwise, [angle], callOf('cos', 1))];
  expect(text(narrowed([b(concat, [sine, cosine], { axis: 1 })]))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[4] {1, 0.10000000149011612, 0.009999999776482582, 0.0010000000474974513}) : f32[4]
    %2 = pointwise(%0, %1, expr={mul($0, $1)}) : f32[B,4]
    %3 = pointwise(%2, expr={sin($0)}) : f32[B,4]
    %4 = pointwise(%3, expr={f16($0)}) : f16[B,4]
    %5 = pointwise(%2, expr={cos($0)}) : f32[B,4]
    %6 = pointwise(%5, expr={f16($0)}) : f16[B,4]
    %7 = concat(%4, %6, axis=1) : f16[B,8]
    %8 = pointwise(%7, expr={f32($0)}) : f32[B,8]
    return %8"
  `);
  const both = text(narrowed([b(pointwise, [angle, sine], callOf('add', 2))]));
  expect(both).toContain('mul($0, $1)}) : f16[B,4]');
  expect(both).toContain('sin($0)}) : f32[B,4]');
});

test('so do energies that only a root or a logarithm is taken of', () => {
  const square = (v: Value): Value => b(pointwise, [v, v], callOf('mul', 2));
  const sum = (v: Value): Value => b(reduce, [v], { kind: 'sum', axes: [1], keepdims: false });
  const wide = (v: Value): readonly string[] =>
    topological(narrowed([v])).flatMap((n) =>
      !is(n, input) && showType(n.outputs[0]!.type).startsWith('f32') ? [n.op.name] : [],
    );
  const energies = sum(square(product(x, w)));
  for (const fn of ['sqrt', 'rsqrt', 'log'] as const) {
    const y = product(b(pointwise, [square(product(x, w))], callOf(fn, 1)), w);
    // The operand that is widened, the square, the function, and the result's own cast.
    expect(wide(y)).toEqual(['pointwise', 'pointwise', 'pointwise', 'pointwise']);
  }
  expect(wide(b(pointwise, [energies], callOf('sqrt', 1)))).toEqual([
    'pointwise',
    'pointwise',
    'reduce',
    'pointwise',
  ]);
  expect(wide(b(pointwise, [energies], callOf('exp', 1)))).toEqual(['pointwise']);
});

test('the mask of a sequence is narrow, where its least number would overflow', () => {
  const mask = b(pointwise, [whole('m', 'i64', B, 8)], {
    expr: call('mul', call('sub', num(1, 'f32'), cast('f32', arg(0))), num(-3.4028234663852886e38, 'f32')),
  });
  expect(text(narrowed([b(pointwise, [mask, product(x, w)], callOf('add', 2))]))).toContain(
    'mul(sub(1:f16, f16($0)), -65504:f16)',
  );
});

test('integers that go through a network are features, not positions', () => {
  const features = b(pointwise, [whole('i', 'i64', B, 8)], { expr: cast('f32', arg(0)) });
  expect(text(narrowed([product(features, w)]))).toContain(
    'matmul(%2, %3, transA=false, transB=false) : f16',
  );
});

test('casts of the model go to what is stored', () => {
  const i = whole('i', 'i8', B);
  const y = b(pointwise, [i, f32('s', B)], { expr: call('mul', cast('f32', arg(0)), arg(1)) });
  expect(text(narrowed([y]))).toMatchInlineSnapshot(`
    "%2 = pointwise(%1, expr={f16($0)}) : f16[B]
    %3 = pointwise(%0, %2, expr={mul(f16($0), $1)}) : f16[B]
    %4 = pointwise(%3, expr={f32($0)}) : f32[B]
    return %4"
  `);
});

test('conversions are part of the narrow nodes', () => {
  const y = product(x, w);
  const origins = topological(narrowed([y])).filter((n) => is(n, pointwise));
  expect(origins.map((n) => n.origin)).toEqual([y.node.origin, y.node.origin]);
});

test('an extent that a value tells itself is asked of it as it is', () => {
  const rows = b(shapeOfValue, [x], { start: 0, end: 1 });
  const own = b(shapeOfValue, [product(x, w)], { start: 0, end: 1 });
  expect(text(narrowed([rows, own]))).toMatchInlineSnapshot(`
    "%1 = shape_of(%0, start=0, end=1) : i64[1]
    %2 = pointwise(%0, expr={f16($0)}) : f16[B,8]
    %3 = constant(value=f16[8,8] #b08a48f7934680e1) : f16[8,8]
    %4 = matmul(%2, %3, transA=false, transB=false) : f16[B,8]
    %5 = shape_of(%4, start=0, end=1) : i64[1]
    return %1, %5"
  `);
});

test('indices that are floats, and what they are computed by, keep their digits', () => {
  const index = b(pointwise, [f32('i', B), konst([1], [3])], callOf('mul', 2));
  const y = b(oneHot, [index, konst([2], [0, 1])], { axis: 1, depth: 4000 });
  expect(text(narrowed([y]))).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[1] {3}) : f32[1]
    %2 = pointwise(%0, %1, expr={mul($0, $1)}) : f32[B]
    %3 = constant(value=f16[2] {0, 1}) : f16[2]
    %4 = one_hot(%2, %3, axis=1, depth=4000) : f16[B,4000]
    %5 = pointwise(%4, expr={f32($0)}) : f32[B,4000]
    return %5"
  `);
});

test('so do floats that become integers, and places in images', () => {
  const index = b(pointwise, [f32('i', B)], { expr: cast('i64', call('floor', arg(0))) });
  expect(text(narrowed([index]))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={i64(floor($0))}) : i64[B]
    return %1"
  `);
  const places = b(pointwise, [f32('p', 2, 3, 3, 2)], callOf('tanh', 1));
  const image = b(pointwise, [f32('image', 2, 4, 9, 9)], callOf('exp', 1));
  const how = { mode: 'linear', outside: 'zeros', alignCorners: false } as const;
  expect(text(narrowed([b(gridSample, [image, places], how)]))).toMatchInlineSnapshot(`
    "%2 = pointwise(%0, expr={f16($0)}) : f16[2,4,9,9]
    %3 = pointwise(%2, expr={exp($0)}) : f16[2,4,9,9]
    %4 = pointwise(%1, expr={tanh($0)}) : f32[2,3,3,2]
    %5 = grid_sample(%3, %4, mode="linear", outside="zeros", alignCorners=false) : f16[2,4,3,3]
    %6 = pointwise(%5, expr={f32($0)}) : f32[2,4,3,3]
    return %6"
  `);
  // A third of three is one in f32 and nothing in f16.
  const scales = b(pointwise, [f32('scales', 2)], callOf('abs', 1));
  const resized = b(resize, [b(pointwise, [f32('r', 3, 3)], callOf('exp', 1)), scales], {
    ...{
      shape: [1, 1],
      axes: [0, 1],
      scale: { from: 'input' },
      asked: [1, 1],
      policy: 'stretch',
      cropped: false,
    },
    ...{ mode: 'linear', coordinates: 'half_pixel', nearest: 'floor', cubicA: -0.75, antialias: false },
    ...{ excludeOutside: false, extrapolation: 0 },
  });
  const lowered = text(narrowed([resized, b(resizeExtents, [scales], { from: [3, 3] })]));
  expect(lowered).toMatch(/resize\(.*: f16\[1,1\]/);
  expect(lowered).toMatch(/expr={abs\(\$0\)}\) : f32\[2\]/);
});

test.each(['f16', 'bf16'] as const)(
  'bodies read what they capture in the types they have it in, in %s',
  (precision) => {
    const inner = f32('inner', B, 8);
    const indices = (largest: boolean) =>
      graph([inner], [b(argReduce, [inner], { largest, axis: 1, keepdims: false, last: false })]);
    const attrs = {
      thenBranch: indices(true),
      elseBranch: indices(false),
      captured: 1,
      outputs: [tensor('i64', [B])],
    };
    const y = b(if_, [whole('c', 'bool'), product(x, w)], attrs);
    expect(text(narrowed([y], { precision }))).toMatch(
      /(%\d+) = pointwise\(%\d+, expr={f32.*\n.*if\(%\d+, \1,/,
    );
    const narrowed16 = inputValue('v', tensor(precision, [B, 8]));
    expect(() => b(if_, [whole('c', 'bool'), narrowed16], attrs)).toThrow(
      /a body reads .*16\[B,8\].* as f32/,
    );
  },
);

test.each(['f16', 'bf16'] as const)(
  'random graphs are sound in %s, with the same inputs and outputs',
  async (precision) => {
    for (let seed = 0; seed < 200; seed++) {
      const g = randomGraph(seed);
      // Some nodes are refused in 16 bits, as targets do.
      let asked = seed;
      const now = await pass({ precision, compiles: () => asked++ % 3 !== 0 }).run(g);
      verify('lowered')(now);
      const types = (values: readonly Value[]) => values.map((v) => showType(v.type));
      expect({ seed, inputs: types(now.inputs), outputs: types(now.outputs) }).toEqual({
        seed,
        inputs: types(g.inputs),
        outputs: types(g.outputs),
      });
    }
  },
);
