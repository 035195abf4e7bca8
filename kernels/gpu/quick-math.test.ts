import { expect, test } from 'vitest';
import { Cpp } from '../../codegen/cpp.js';
import { scalarText } from '../../codegen/scalar-text.js';
import { arg, call, constant, type Expr } from '../../src/ir/expr.js';
import type { DType } from '../../src/ir/type.js';
import { quickMath } from './quick-math.js';

const x = arg(0);
const textOf = (e: Expr, t: DType): string =>
  scalarText(e, { types: [t], operand: (i) => new Cpp(`a${i}`), shorter: quickMath([t]) }).text;
const k = (value: number): Expr => constant(value, 'f16');

const erf = (z: Expr): Expr => call('add', call('erf', z), k(1));

test.each<[string, Expr, string]>([
  [
    'gelu as PyTorch exports it',
    call('mul', call('mul', x, k(0.5)), erf(call('div', x, k(1.4142135381698608)))),
    'ait::fn::quick_gelu(a0)',
  ],
  [
    'gelu in another order',
    call('mul', k(0.5), call('mul', erf(call('mul', k(Math.SQRT1_2), x)), x)),
    'ait::fn::quick_gelu(a0)',
  ],
  [
    'gelu without its half',
    call('mul', x, erf(call('mul', x, k(Math.SQRT1_2)))),
    '(ait::fn::quick_gelu(a0) * 2.0f)',
  ],
  [
    'gelu by tanh',
    call('mul', call('mul', x, k(0.5)), call('add', k(1), call('tanh', x))),
    '(ait::fn::quick_sigmoid((a0 * 2.0f)) * a0)',
  ],
  ['a quotient by a constant', call('div', x, k(8)), '(a0 * 0.125f)'],
  [
    'erf of something else',
    call('mul', call('mul', x, k(0.5)), erf(call('mul', x, k(0.5)))),
    '((a0 * 0.5f) * (ait::fn::erf((a0 * 0.5f)) + 1.0f))',
  ],
])('%s', (_, e, text) => {
  expect(textOf(e, 'f16')).toBe(text);
});

test('floats of 32 bits are computed as they are written', () => {
  const e = call('div', call('sigmoid', x), constant(3, 'f32'));
  expect(textOf(e, 'f32')).toBe('(ait::fn::sigmoid(a0) / 3.0f)');
});
