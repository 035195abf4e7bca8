import { expect, test } from 'vitest';
import { arg, call, cast, constant, type ScalarFunction } from '../src/ir/expr.js';
import { inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { fusePointwise } from './fuse-pointwise.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';

const x = f32('x', B, 8);
const y = f32('y', 8);
const do1 = (fn: ScalarFunction, a: Value): Value => b(pointwise, [a], callOf(fn, 1));
const do2 = (fn: ScalarFunction, p: Value, q: Value): Value => b(pointwise, [p, q], callOf(fn, 2));

test('a chain with broadcast operands is one node', () => {
  const g = of([x, y], do1('exp', do2('mul', do2('add', x, y), y)));
  expect(text(fusePointwise.run(g))).toMatchInlineSnapshot(`
    "%2 = pointwise(%0, %1, expr={exp(mul(add($0, $1), $1))}) : f32[B,8]
    return %2"
  `);
});

test('diamonds close', () => {
  const h = do2('add', x, y);
  const silu = do2('mul', h, do1('sigmoid', h));
  expect(text(fusePointwise.run(of([x, y], silu)))).toMatchInlineSnapshot(`
    "%2 = pointwise(%0, %1, expr={mul(add($0, $1), sigmoid(add($0, $1)))}) : f32[B,8]
    return %2"
  `);
});

test('a cheap scalar is computed where it is used', () => {
  const s = f32('s');
  const g = of([x, s], do2('mul', x, b(pointwise, [s], { expr: call('add', arg(0), constant(1, 'f32')) })));
  expect(text(fusePointwise.run(g))).toMatchInlineSnapshot(`
    "%2 = pointwise(%0, %1, expr={mul($0, add($1, 1:f32))}) : f32[B,8]
    return %2"
  `);
});

test('two groups around a reduction', () => {
  const c = do2(
    'sub',
    do1('abs', x),
    b(reduce, [do1('exp', do1('neg', x))], { kind: 'sum', axes: [1], keepdims: true }),
  );
  expect(text(fusePointwise.run(of([x], do1('neg', c))))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={exp(neg($0))}) : f32[B,8]
    %2 = reduce(%1, kind="sum", axes=[1], keepdims=true) : f32[B,1]
    %3 = pointwise(%0, %2, expr={neg(sub(abs($0), $1))}) : f32[B,8]
    return %3"
  `);
});

test('what others read, what has another shape, what costs too much and what would lose its vectors stays', () => {
  const read = do1('exp', x);
  const row = do1('exp', y);
  const many = Array.from({ length: 4 }).reduce<Value>((v) => do1('tanh', do1('erf', v)), x);
  const ids = inputValue('ids', tensor('i64', [B, 8]));
  const mask = b(pointwise, [ids], { expr: call('eq', arg(0), constant(0n, 'i64')) });
  const masked = b(pointwise, [mask, x], {
    expr: call('select', arg(0), constant(0, 'f32'), call('exp', arg(1))),
  });
  const some = of([x, y, ids], do1('neg', read), read, do2('add', x, row), masked);
  expect(fusePointwise.run(some)).toBe(some);
  const fused = text(fusePointwise.run(of([x], many)));
  expect(fused.match(/pointwise/g)).toHaveLength(3);
});

test('a cheap cast of a mask does join', () => {
  const mask = inputValue('mask', tensor('i64', [B, 8]));
  const m = b(pointwise, [mask], { expr: cast('f32', arg(0)) });
  expect(text(fusePointwise.run(of([x, mask], do2('mul', do1('exp', x), m))))).toMatchInlineSnapshot(`
    "%2 = pointwise(%0, %1, expr={mul(exp($0), f32($1))}) : f32[B,8]
    return %2"
  `);
});
