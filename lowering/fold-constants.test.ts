import { expect, test } from 'vitest';
import { arg, call, cast } from '../src/ir/expr.js';
import type { Graph } from '../src/ir/graph.js';
import { type Literal, literalOf } from '../src/ir/literal.js';
import { print } from '../src/ir/print.js';
import type { TensorType } from '../src/ir/type.js';
import { expand } from '../src/ops/expand.js';
import { matmul } from '../src/ops/matmul.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { transpose } from '../src/ops/transpose.js';
import { CompileError } from '../src/support/diagnostic.js';
import { foldConstants } from './fold-constants.js';
import { B, b, f32, iota, konst, of, text } from './graphs.fixtures.js';

const x = f32('x', B, 40);
const asked: string[] = [];
/** Zeros of the right type, and a record of what was asked for. */
const zeros = async (g: Graph): Promise<readonly Literal[]> => {
  asked.push(print(g));
  return g.outputs.map(({ type }) => {
    const { dtype, shape } = type as TensorType;
    const size = (shape as readonly number[]).reduce((p, q) => p * q, 1);
    return literalOf(dtype, shape as readonly number[], new Array<number>(size).fill(0));
  });
};
const weights = (scale = iota(40)) =>
  b(pointwise, [konst([40, 40], new Array<number>(1600).fill(3), 'i8'), scale], {
    expr: call('mul', cast('f32', arg(0)), arg(1)),
  });

test('what constants alone decide is evaluated at once, together', async () => {
  const y = b(matmul, [x, weights()], { transA: false, transB: false });
  const z = b(matmul, [y, b(transpose, [weights()], { perm: [1, 0] })], { transA: false, transB: false });
  const folded = await foldConstants(zeros).run(of([x], z));
  expect(asked).toHaveLength(1);
  expect(text(folded)).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[40,40] #1ad033100b70fbbe) : f32[40,40]
    %2 = matmul(%0, %1, transA=false, transB=false) : f32[B,40]
    %3 = constant(value=f32[40,40] #1ad033100b70fbbe) : f32[40,40]
    %4 = matmul(%2, %3, transA=false, transB=false) : f32[B,40]
    return %4"
  `);
});

test('few elements need nobody', async () => {
  const five = b(pointwise, [konst([2], [2, 3]), konst([], [0.5])], callOf('mul', 2));
  const never = async (): Promise<never> => Promise.reject(new Error('asked'));
  const folded = await foldConstants(never).run(of([x], b(expand, [five], { shape: [B, 2] })));
  expect(text(folded)).toMatchInlineSnapshot(`
    "%1 = constant(value=f32[2] {1, 1.5}) : f32[2]
    %2 = expand(%1, shape=[B, 2]) : f32[B,2]
    return %2"
  `);
});

test('what grows much, cannot be evaluated, or depends on inputs stays', async () => {
  const fails = async (): Promise<never> => Promise.reject(new Error('not supported'));
  const g = of([x], b(matmul, [x, weights()], { transA: false, transB: false }));
  expect(await foldConstants(fails).run(g)).toBe(g);
  const large = of([], b(expand, [konst([], [1])], { shape: [1000, 1000] }));
  expect(await foldConstants(zeros).run(large)).toBe(large);
  const symbolic = of([x], b(expand, [konst([], [1])], { shape: [B, 10] }));
  expect(await foldConstants(zeros).run(symbolic)).toBe(symbolic);
});

test('a value that takes too long is waited for once alone, and no other one is tried after it', async () => {
  let calls = 0;
  const endless = async (): Promise<never> => {
    calls++;
    throw new CompileError('reference-timeout', 'not finished');
  };
  const big = iota(80, 80);
  const g = of([], ...(['exp', 'neg', 'abs'] as const).map((name) => b(pointwise, [big], callOf(name, 1))));
  expect(await foldConstants(endless).run(g)).toBe(g);
  expect(calls).toBe(2);
});

test('one value that cannot be evaluated spoils no other', async () => {
  const some = async (g: Graph): Promise<readonly Literal[]> => {
    if (print(g).includes('exp(')) throw new Error('no');
    return zeros(g);
  };
  const big = iota(80, 80);
  const g = of([], b(pointwise, [big], callOf('exp', 1)), b(pointwise, [big], callOf('neg', 1)));
  expect(text(await foldConstants(some).run(g))).toMatchInlineSnapshot(`
    "%0 = constant(value=f32[80,80] #09c79e59f09ce7de) : f32[80,80]
    %1 = pointwise(%0, expr={exp($0)}) : f32[80,80]
    %2 = constant(value=f32[80,80] #4db64b81f8e3580f) : f32[80,80]
    return %1, %2"
  `);
});
