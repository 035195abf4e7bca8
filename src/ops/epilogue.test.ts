import { describe, expect, test } from 'vitest';
import { symbol } from '../ir/dim.js';
import { arg, call, cast, constant } from '../ir/expr.js';
import { type DType, tensor } from '../ir/type.js';
import {
  epilogueOperand,
  epilogueType,
  fitsEpilogue,
  isIntegerEpilogue,
  isIntegralExpr,
  isVectorExpr,
} from './epilogue.js';

const B = symbol('B');

describe('how an operand is read', () => {
  const out = [B, 5, 7, 16];
  test.each([
    [[], 'scalar'],
    [[1, 1], 'scalar'],
    [[16], 'channel'],
    [[1, 1, 16], 'channel'],
    [[B, 5, 7, 1], 'row'],
    [[B, 5, 7, 16], 'full'],
    [[5, 7, 16], undefined],
    [[B, 1, 1, 16], undefined],
    [[1, B, 5, 7, 16], undefined],
  ] as const)('[%s] is %s in channels last', (shape, access) => {
    expect(epilogueOperand(out, shape, 'NXC')).toBe(access);
  });

  test('channels first has channels on the second axis and no rows', () => {
    expect(epilogueOperand(out, [5, 1, 1], 'NCX')).toBe('channel');
    expect(epilogueOperand(out, [16], 'NCX')).toBeUndefined();
    expect(epilogueOperand(out, out, 'NCX')).toBeUndefined();
  });

  test('of a single column a vector is a row, of a single row a channel', () => {
    expect(epilogueOperand([9, 1], [9, 1], 'NXC')).toBe('row');
    expect(epilogueOperand([1, 9], [1, 9], 'NXC')).toBe('channel');
  });
});

test('the type of a result is that of its expression, over operands that surely broadcast', () => {
  const sums = tensor('i32', [B, 8]);
  const scaled = call('mul', cast('f32', arg(0)), arg(1));
  expect(epilogueType(sums, [tensor('f32', [8])], scaled)).toEqual(tensor('f32', [B, 8]));
  expect(() => epilogueType(sums, [tensor('f32', [3, 8])], scaled)).toThrow('does not broadcast');
  expect(() => epilogueType(sums, [tensor('i32', [8])], scaled)).toThrow('one type');
  expect(() => epilogueType(sums, [tensor('i32', [8])], undefined)).toThrow('no epilogue');
  expect(fitsEpilogue([B, 8], [B, 1])).toBe(true);
  expect(fitsEpilogue([B, 8], [symbol('C'), 8])).toBe(false);
});

test('what vectors of f32 compute', () => {
  const types: readonly DType[] = ['f32', 'bf16', 'i32', 'f64'];
  const f = (x: number) => constant(x, 'f32');
  expect(isVectorExpr(call('max', arg(0), f(0)), types)).toBe(true);
  expect(isVectorExpr(call('add', arg(0), cast('f32', arg(1))), types)).toBe(true);
  expect(isVectorExpr(call('select', call('lt', arg(0), f(0)), f(1), arg(0)), types)).toBe(true);
  expect(isVectorExpr(call('add', arg(0), cast('f32', arg(2))), types)).toBe(false);
  expect(isVectorExpr(cast('f64', arg(0)), types)).toBe(false);
});

test('what 32-bit lanes compute of sums of bytes', () => {
  const types: readonly DType[] = ['i32', 'i32', 'f32', 'u8'];
  const total = call('add', arg(0), arg(1));
  const real = call('mul', cast('f32', total), arg(2));
  expect(isIntegralExpr(total, types)).toBe(true);
  expect(isIntegerEpilogue(total, types)).toBe(true);
  expect(isIntegerEpilogue(real, types)).toBe(true);
  expect(isIntegerEpilogue(cast('u8', call('add', real, cast('f32', arg(3)))), types)).toBe(true);
  expect(isIntegerEpilogue(call('max', real, cast('f32', call('max', arg(0), arg(1)))), types)).toBe(false);
  expect(isIntegerEpilogue(cast('u16', real), types)).toBe(false);
});
