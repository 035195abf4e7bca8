import { arg, call, type Expr, type ScalarFunction } from '../ir/expr.js';
import { dtypeOf } from '../ir/graph.js';
import {
  type ElementwiseConverter,
  type ElementwiseMap,
  legacyOperands,
  num,
  ofAll,
  x,
  y,
} from './elementwise.js';

/** One function of two tensors; before opset 7 with the broadcasting of that time. */
const versions = (fn: ScalarFunction): Readonly<Record<number, ElementwiseConverter>> => ({
  1: (n, b) => ({ inputs: legacyOperands(n, b), expr: call(fn, x, y) }),
  7: ofAll(fn, 2),
});

const arithmetic = { Add: 'add', Sub: 'sub', Mul: 'mul', Div: 'div', Pow: 'pow' } as const;
const logic = { And: 'and', Or: 'or', Xor: 'xor', Greater: 'gt', Less: 'lt' } as const;

/** Strings are compared by onnxruntime. */
const equal =
  (legacy: boolean): ElementwiseConverter =>
  (n, b) => {
    if (dtypeOf(n.input(0)) === 'string') n.decline('there is no kernel that compares strings');
    return { inputs: legacy ? legacyOperands(n, b) : [n.input(0), n.input(1)], expr: call('eq', x, y) };
  };

/** Any number of tensors, folded from the left. */
const variadic =
  (fn: 'add' | 'max' | 'min', divide = false): ElementwiseConverter =>
  (n) => {
    const inputs = Array.from({ length: n.inputCount }, (_, i) => n.input(i));
    const all = inputs.map((_, i) => arg(i)).reduce((a: Expr, b) => call(fn, a, b));
    if (!divide || inputs.length === 1) return { inputs, expr: all };
    return { inputs, expr: call('div', all, num(inputs.length, dtypeOf(inputs[0]!))) };
  };

const bitShift: ElementwiseConverter = (n) => ({
  inputs: [n.input(0), n.input(1)],
  expr: call(n.string('direction') === 'LEFT' ? 'shl' : 'shr', x, y),
});

/** The remainder with the sign of the divisor, or with fmod that of the dividend. */
const mod: ElementwiseConverter = (n) => ({
  inputs: [n.input(0), n.input(1)],
  expr: call(n.int('fmod', 0) === 1 ? 'fmod' : 'mod', x, y),
});

export const binary: ElementwiseMap = {
  ...Object.fromEntries(Object.entries({ ...arithmetic, ...logic }).map(([op, fn]) => [op, versions(fn)])),
  Equal: { 1: equal(true), 7: equal(false) },
  GreaterOrEqual: { 12: ofAll('ge', 2) },
  LessOrEqual: { 12: ofAll('le', 2) },
  BitwiseAnd: { 18: ofAll('bitand', 2) },
  BitwiseOr: { 18: ofAll('bitor', 2) },
  BitwiseXor: { 18: ofAll('bitxor', 2) },
  BitShift: { 11: bitShift },
  Mod: { 10: mod },
  Sum: { 1: variadic('add') },
  Mean: { 1: variadic('add', true) },
  Max: { 1: variadic('max') },
  Min: { 1: variadic('min') },
  Where: { 9: ofAll('select', 3) },
};
