import { call, type Expr, type ScalarFunction } from '../ir/expr.js';
import { dtypeOf } from '../ir/graph.js';
import { type ElementwiseConverter, type ElementwiseMap, num, ofAll, x } from './elementwise.js';

/** Operators that are one scalar function in every opset. */
const functions: Readonly<Record<string, ScalarFunction>> = {
  Abs: 'abs',
  Neg: 'neg',
  Sign: 'sign',
  Reciprocal: 'reciprocal',
  Sqrt: 'sqrt',
  Exp: 'exp',
  Log: 'log',
  Sin: 'sin',
  Cos: 'cos',
  Tan: 'tan',
  Asin: 'asin',
  Acos: 'acos',
  Atan: 'atan',
  Sinh: 'sinh',
  Cosh: 'cosh',
  Tanh: 'tanh',
  Asinh: 'asinh',
  Acosh: 'acosh',
  Atanh: 'atanh',
  Erf: 'erf',
  Sigmoid: 'sigmoid',
  Softplus: 'softplus',
  Ceil: 'ceil',
  Floor: 'floor',
  Round: 'round',
  IsNaN: 'isnan',
  Not: 'not',
  BitwiseNot: 'bitnot',
};

/** Which infinities count is chosen by attributes. */
const isInf: ElementwiseConverter = (n) => {
  const v = n.input(0);
  const t = dtypeOf(v);
  const [negative, positive] = [n.int('detect_negative', 1) === 1, n.int('detect_positive', 1) === 1];
  const equals = (value: number): Expr => call('eq', x, num(value, t));
  const expr =
    negative && positive
      ? call('isinf', x)
      : negative
        ? equals(Number.NEGATIVE_INFINITY)
        : positive
          ? equals(Number.POSITIVE_INFINITY)
          : call('ne', x, x);
  // Nothing is asked for: a NaN would differ from itself.
  return { inputs: [v], expr: negative || positive ? expr : call('and', expr, call('not', expr)) };
};

export const unary: ElementwiseMap = {
  ...Object.fromEntries(Object.entries(functions).map(([op, fn]) => [op, { 1: ofAll(fn, 1) }])),
  IsInf: { 10: isInf },
};
