import { describe, expect, test } from 'vitest';
import { showExpr } from '../ir/expr.js';
import type { DType } from '../ir/type.js';
import { dequantizeExpr, quantizedView, quantizeExpr } from './quantize.js';

describe('the view under which scales broadcast', () => {
  test('one scale, one an index, one a block', () => {
    expect(quantizedView([2, 6, 5], [], 1, 0)).toEqual({ x: [2, 6, 5], scale: [] });
    expect(quantizedView([2, 6, 5], [1], 1, 0)).toEqual({ x: [2, 6, 5], scale: [] });
    expect(quantizedView([2, 6, 5], [6], 1, 0)).toEqual({ x: [2, 6, 5], scale: [6, 1] });
    expect(quantizedView([2, 6, 5], [5], -1, 0)).toEqual({ x: [2, 6, 5], scale: [5] });
    expect(quantizedView([2, 6, 5], [2, 3, 5], 1, 2)).toEqual({ x: [2, 3, 2, 5], scale: [2, 3, 1, 5] });
  });

  test('a last block that is shorter has none', () => {
    expect(quantizedView([2, 7], [2, 4], 1, 2)).toBeUndefined();
  });

  test('scales of another rank are an error', () => {
    expect(() => quantizedView([2, 6], [3, 2], 0, 0)).toThrow('do not fit');
  });
});

describe('the expression', () => {
  const attrs = (to: DType, precision?: DType) =>
    ({ axis: 0, block: 0, to, saturate: false, precision }) as const;

  test('clamps integers to their range around the zero point', () => {
    expect(showExpr(quantizeExpr(['f32', 'f32', 'i8'], attrs('i8')))).toBe(
      'i8(min(max(add(round(div($0, $1)), f32($2)), -128:f32), 127:f32))',
    );
  });

  test('rounds the quotient to the type it is computed in', () => {
    expect(showExpr(quantizeExpr(['f32', 'f32'], attrs('u8', 'f16')))).toBe(
      'u8(min(max(round(f32(f16(div(f16($0), f16($1))))), 0:f32), 255:f32))',
    );
  });

  test('leaves the rounding of 8-bit floats to the cast', () => {
    expect(showExpr(quantizeExpr(['f32', 'f32', 'f8e5m2'], attrs('f8e5m2')))).toBe('f8e5m2!(div($0, $1))');
  });

  test('goes back through f32', () => {
    const back = dequantizeExpr(['u8', 'f16', 'u8'], { axis: 0, block: 0, to: 'f16' });
    expect(showExpr(back)).toBe('f16(mul(sub(f32($0), f32($2)), f32($1)))');
  });
});
