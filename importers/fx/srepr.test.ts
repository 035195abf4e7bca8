import { describe, expect, it } from 'vitest';
import { type Dim, substitute, symbol } from '../../src/ir/dim.js';
import { parseDim, UnknownExpression } from './srepr.js';

const scaledBy = (factor: string): Dim =>
  parseDim(
    `TruncToInt(Mul(Float('${factor}', precision=53), ToFloat(Symbol('s0', positive=True, integer=True))))`,
    (name) => symbol(name, 1),
  );

describe('sizes scaled by decimal fractions', () => {
  it.each(['1.7', '0.6', '2.5', '0.3'])('%s times a size is what floating point makes of it', (factor) => {
    const size = scaledBy(factor);
    for (let n = 1; n <= 500; n++)
      expect(substitute(size, new Map([['s0', n]]))).toBe(Math.trunc(Number(factor) * n));
  });

  it('refuses factors whose multiples come out below whole numbers', () => {
    expect(Math.trunc(0.57 * 100)).toBe(56);
    expect(() => scaledBy('0.57')).toThrow(UnknownExpression);
  });
});
