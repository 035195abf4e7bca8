import { describe, expect, test } from 'vitest';
import {
  arg,
  call,
  cast,
  constant,
  costOfExpr,
  type Expr,
  mapOperands,
  type ScalarFunction,
  sameExpr,
  scalarFunctions,
  showExpr,
  typeOfExpr,
} from './expr.js';
import type { DType } from './type.js';

const rows = Object.entries(scalarFunctions) as [ScalarFunction, (typeof scalarFunctions)[ScalarFunction]][];
const takers: Readonly<Record<string, readonly DType[]>> = {
  float: ['f32', 'f64', 'f16', 'bf16', 'f8e4m3fn'],
  integer: ['i8', 'u8', 'i32', 'i64', 'u4'],
  number: ['f32', 'bf16', 'i64', 'u8'],
  bool: ['bool'],
  any: ['f32', 'i64', 'bool'],
};
const refused: Readonly<Record<string, readonly DType[]>> = {
  float: ['i32', 'bool', 'string', 'c64'],
  integer: ['f32', 'bool'],
  number: ['bool', 'c64', 'string'],
  bool: ['f32', 'u8'],
  any: ['string'],
};

describe.each(rows)('%s', (fn, row) => {
  const over = (t: DType): readonly DType[] =>
    Array.from({ length: row.arity }, (_, i) => (fn === 'select' && i === 0 ? 'bool' : t));
  const e = call(fn, ...Array.from({ length: row.arity }, (_, i) => arg(i)));

  test.each(takers[row.takes]!)('takes %s', (t) => {
    expect(typeOfExpr(e, over(t))).toBe('result' in row && row.result === 'bool' ? 'bool' : t);
  });

  test.each(refused[row.takes]!)('does not take %s', (t) => {
    expect(() => typeOfExpr(e, over(t))).toThrow(`${fn} does not take ${t}`);
  });

  test('counts its arguments', () => {
    const short = call(fn, ...Array.from({ length: row.arity + 1 }, () => arg(0)));
    expect(() => typeOfExpr(short, ['f32'])).toThrow(
      `${fn} takes ${row.arity} arguments, not ${row.arity + 1}`,
    );
  });
});

test('arguments have one type, but for the exponent of pow and the condition of select', () => {
  expect(() => typeOfExpr(call('add', arg(0), arg(1)), ['f32', 'f16'])).toThrow('not f32 and f16');
  expect(() => typeOfExpr(call('eq', arg(0), arg(1)), ['i32', 'i64'])).toThrow('not i32 and i64');
  expect(typeOfExpr(call('pow', arg(0), arg(1)), ['f16', 'i64'])).toBe('f16');
  expect(typeOfExpr(call('select', arg(0), arg(1), arg(1)), ['bool', 'i8'])).toBe('i8');
  expect(() => typeOfExpr(call('select', arg(1), arg(1), arg(1)), ['bool', 'i8'])).toThrow('i8, not bool');
  expect(() => typeOfExpr(call('select', arg(0), arg(1), arg(2)), ['bool', 'i8', 'u8'])).toThrow('one type');
});

test('casts and constants have the type they name; operands must exist', () => {
  expect(typeOfExpr(cast('f8e5m2', call('exp', arg(0))), ['f32'])).toBe('f8e5m2');
  expect(typeOfExpr(constant(3n, 'u64'), [])).toBe('u64');
  expect(() => typeOfExpr(cast('f32', arg(2)), ['f32'])).toThrow('operand 2 does not exist');
});

test.each<[number | bigint, DType]>([
  [0.5, 'i32'],
  [1 / 6, 'i64'],
  [Number.POSITIVE_INFINITY, 'u8'],
  [128, 'i8'],
  [-1, 'u16'],
  [2n ** 63n, 'i64'],
  [2, 'bool'],
])('%s is no constant of %s', (value, t) => {
  expect(() => typeOfExpr(constant(value, t), [])).toThrow(`${value} is not a value of ${t}`);
});

test.each<[number | bigint, DType]>([
  [0.5, 'f16'],
  [-128, 'i8'],
  [2n ** 64n - 1n, 'u64'],
  [1, 'bool'],
])('%s is a constant of %s', (value, t) => {
  expect(typeOfExpr(constant(value, t), [])).toBe(t);
});

const nested = call('add', call('mul', arg(0), arg(2)), cast('f32', arg(1)));

test('operands are replaced everywhere at once', () => {
  const swapped: Expr = mapOperands(nested, (i) =>
    i === 0 ? arg(2) : i === 2 ? arg(0) : constant(-0, 'f32'),
  );
  expect(showExpr(swapped)).toBe('add(mul($2, $0), f32(-0:f32))');
  expect(showExpr(nested)).toBe('add(mul($0, $2), f32($1))');
});

test('texts differ where meanings differ', () => {
  const texts = [
    constant(0, 'f32'),
    constant(-0, 'f32'),
    constant(0, 'f64'),
    cast('i8', arg(0)),
    cast('i8', arg(0), false),
    call('neg', arg(0)),
    arg(0),
    arg(10),
  ].map(showExpr);
  expect(new Set(texts).size).toBe(texts.length);
  expect(sameExpr(nested, mapOperands(nested, arg))).toBe(true);
});

test('cost counts calls and casts, dear functions more', () => {
  expect([arg(0), cast('f32', arg(0)), call('neg', arg(0)), nested].map(costOfExpr)).toEqual([0, 1, 1, 3]);
  expect(costOfExpr(call('tanh', arg(0)))).toBeGreaterThan(costOfExpr(call('exp', arg(0))));
});
