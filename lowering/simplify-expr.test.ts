import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arg, call, cast, constant, type Expr, showExpr } from '../src/ir/expr.js';
import type { DType } from '../src/ir/type.js';
import { evaluateExpr } from '../src/ops/evaluate-expr.js';
import { holds, simplifyExpr } from './simplify-expr.js';

const x = arg(0);
const y = arg(1);
const f = (v: number): Expr => constant(v, 'f32');
const i = (v: number): Expr => constant(BigInt(v), 'i64');
const simplified = (e: Expr, ...types: readonly DType[]): string =>
  showExpr(simplifyExpr(e, types.length > 0 ? types : ['f32', 'f32']));

describe('floats', () => {
  test.each([
    [call('mul', f(1), x), '$0'],
    [call('mul', x, f(-1)), 'neg($0)'],
    [call('mul', call('mul', x, f(3)), f(0.25)), 'mul($0, 0.75:f32)'],
    [call('div', x, f(8)), 'mul($0, 0.125:f32)'],
    [call('div', f(1), call('sqrt', x)), 'rsqrt($0)'],
    [call('add', x, f(-0)), '$0'],
    [call('sub', x, f(0)), '$0'],
    [call('add', call('exp', x), f(0)), 'exp($0)'],
    [call('add', call('neg', x), y), 'sub($1, $0)'],
    [call('pow', x, f(2)), 'mul($0, $0)'],
    [call('pow', call('mul', x, x), f(0.5)), 'sqrt(mul($0, $0))'],
    [call('max', f(0), call('max', x, f(-1))), 'max($0, 0:f32)'],
    [call('min', call('max', call('min', x, f(6)), f(0)), f(4)), 'max(min($0, 4:f32), 0:f32)'],
    [call('max', call('sigmoid', x), f(0)), 'sigmoid($0)'],
    [call('max', x, f(Number.NEGATIVE_INFINITY)), '$0'],
    [call('div', f(1), call('add', f(1), call('exp', call('neg', x)))), 'sigmoid($0)'],
    [
      call('mul', call('mul', f(0.5), x), call('add', f(1), call('tanh', y))),
      'mul($0, sigmoid(mul($1, 2:f32)))',
    ],
    [call('mul', call('add', f(1), f(2)), x), 'mul($0, 3:f32)'],
  ] as const)('case %#', (e, text) => {
    expect(simplified(e)).toBe(text);
  });

  test('what could change a zero, a NaN or an infinity stays', () => {
    for (const e of [
      call('add', x, f(0)),
      call('mul', x, f(0)),
      call('pow', x, f(0.5)),
      call('sub', x, x),
      call('div', x, f(3)),
      call('max', x, f(0)),
      call('mul', call('mul', x, f(3)), f(5)),
    ])
      expect(simplified(e)).toBe(showExpr(e));
  });
});

describe('other types', () => {
  test.each([
    [call('add', x, i(0)), ['i64'], '$0'],
    [call('mul', i(2), i(3)), ['i64'], '6:i64'],
    [cast('f32', x), ['f32'], '$0'],
    [cast('i32', cast('i64', x)), ['i32'], '$0'],
    [cast('f16', cast('f32', x)), ['f16'], '$0'],
    [cast('f32', cast('i32', x)), ['u8'], 'f32($0)'],
    [call('not', call('eq', x, y)), ['i64', 'i64'], 'ne($0, $1)'],
    [call('select', constant(1, 'bool'), x, y), ['f32', 'f32'], '$0'],
  ] as const)('case %#', (e, types, text) => {
    expect(simplified(e, ...types)).toBe(text);
  });

  test('casts that lose something stay', () => {
    for (const [e, t] of [
      [cast('f32', cast('f16', x)), 'f32'],
      [cast('f32', cast('i64', x)), 'f32'],
      [cast('i64', cast('i32', x)), 'i64'],
      [cast('u8', cast('bool', x)), 'u8'],
    ] as const)
      expect(simplified(e, t)).toBe(showExpr(e));
  });
});

describe('whole numbers', () => {
  const quantised = (e: Expr, scale: number, zero: number): Expr =>
    cast(
      'u8',
      call('min', call('max', call('add', call('round', call('div', e, f(scale))), f(zero)), f(0)), f(255)),
    );
  const real = (e: Expr, scale: number, zero: number): Expr =>
    call('mul', call('sub', cast('f32', e), f(zero)), f(scale));

  test('what is quantised as it was is left alone', () => {
    expect(simplified(quantised(real(x, 0.1, 3), 0.1, 3), 'u8')).toBe('$0');
  });

  test('a byte in the middle of an expression need not be made', () => {
    expect(simplified(real(quantised(x, 0.5, 3), 0.5, 3), 'f32')).toBe(
      'mul(min(max(round(mul($0, 2:f32)), -3:f32), 252:f32), 0.5:f32)',
    );
  });

  test('other scales, and values that may not fit, stay', () => {
    expect(simplified(quantised(real(x, 0.1, 3), 0.2, 3), 'u8')).toContain('round');
    expect(simplified(cast('f32', cast('u8', call('round', x))))).toContain('u8(');
    expect(simplified(call('sub', call('add', x, f(3)), f(3)))).toContain('add');
  });
});

test('one type holds another exactly when every value survives', () => {
  expect(holds('f32', 'f16')).toBe(true);
  expect(holds('f32', 'i32')).toBe(false);
  expect(holds('f64', 'i32')).toBe(true);
  expect(holds('f16', 'bf16')).toBe(false);
  expect(holds('f16', 'u16')).toBe(false);
  expect(holds('i32', 'u32')).toBe(false);
  expect(holds('u8', 'i8')).toBe(false);
});

test('random expressions keep their value', () => {
  const leaf = fc.oneof(
    fc.constantFrom(x, y),
    fc.constantFrom(-2, -1, -0.5, -0, 0, 0.25, 0.5, 1, 2, 3, 6).map(f),
  );
  const { tree } = fc.letrec<{ tree: Expr }>((rec) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc
        .tuple(fc.constantFrom('add', 'sub', 'mul', 'div', 'min', 'max', 'pow'), rec('tree'), rec('tree'))
        .map(([fn, a, b]) => call(fn as 'add', a, b)),
      fc
        .tuple(fc.constantFrom('neg', 'abs', 'sqrt', 'reciprocal'), rec('tree'))
        .map(([fn, a]) => call(fn as 'neg', a)),
    ),
  }));
  const numbers = fc.constantFrom(-3, -1, -0.125, 0.125, 1, 1.5, 7);
  fc.assert(
    fc.property(tree, numbers, numbers, (e, a, b) => {
      const operands = [a, b].map((value) => ({ dtype: 'f64' as const, value }));
      const wide = inDoubles(e);
      const before = evaluateExpr(wide, operands);
      const after = evaluateExpr(simplifyExpr(wide, ['f64', 'f64']), operands);
      // The evaluator lacks rsqrt, which only appears where a square root was.
      if (after === undefined) return;
      if (typeof before !== 'number' || typeof after !== 'number') throw new Error('not evaluated');
      expect(Number.isNaN(after)).toBe(Number.isNaN(before));
      if (Number.isFinite(before))
        expect(Math.abs(after - before)).toBeLessThanOrEqual(1e-12 * Math.abs(before));
      else expect(after).toEqual(before);
    }),
    { numRuns: 2000 },
  );
});

function inDoubles(e: Expr): Expr {
  if (e.kind === 'const') return { ...e, dtype: 'f64' };
  return e.kind === 'call' ? { ...e, args: e.args.map(inDoubles) } : e;
}
