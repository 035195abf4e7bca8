import { call, type Expr } from '../../ir/expr.js';
import { dtypeOf } from '../../ir/graph.js';
import type { DType } from '../../ir/type.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, Operands } from './operands.js';

export type Constant = (x: number) => Expr;

export type Formula = (x: Expr, k: Constant, n: AtenNode) => Expr;

export const add = (a: Expr, b: Expr): Expr => call('add', a, b);

export const sub = (a: Expr, b: Expr): Expr => call('sub', a, b);

export const mul = (a: Expr, b: Expr): Expr => call('mul', a, b);

export const div = (a: Expr, b: Expr): Expr => call('div', a, b);

export const min = (a: Expr, b: Expr): Expr => call('min', a, b);

export const max = (a: Expr, b: Expr): Expr => call('max', a, b);

export const select = (c: Expr, a: Expr, b: Expr): Expr => call('select', c, a, b);

export const lt = (a: Expr, b: Expr): Expr => call('lt', a, b);

export const sigmoid = (x: Expr): Expr => call('sigmoid', x);

export const value = (n: AtenNode, name: string, fallback: number): number =>
  Number(n.number(name, fallback));

/** A formula of `self` in the type of the result. */
export const of =
  (formula: Formula, name = 'self'): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    return operands.make(formula(operands.get(name, t), (x) => numberOf(x, t), n));
  };

/** A truth about `self`, decided in its own type. */
export const truth =
  (formula: (x: Expr, t: DType, k: Constant) => Expr): AtenConverter =>
  (n, b) => {
    const t = dtypeOf(n.tensor('self'));
    const operands = new Operands(n, b);
    return operands.make(formula(operands.get('self', t), t, (x) => numberOf(x, t)));
  };

export const ternary =
  (
    names: readonly string[],
    formula: (values: readonly Expr[], t: DType, n: AtenNode) => Expr,
  ): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const operands = new Operands(n, b);
    const values = names.map((name) => operands.get(name, t));
    return operands.make(formula(values, t, n));
  };

export const scaledBy = (x: Expr, factor: number | bigint, t: DType): Expr =>
  Number(factor) === 1 ? x : mul(x, numberOf(factor, t));

/** One formula for several overloads. */
export const overloads = (base: string, names: readonly string[], c: AtenConverter): AtenMap =>
  Object.fromEntries(names.map((name) => [name === '' ? base : `${base}.${name}`, c]));

export const both = ['Tensor', 'Scalar'] as const;

/** One converter under several names. */
export const eachOf = (names: readonly string[], c: AtenConverter): AtenMap =>
  Object.fromEntries(names.map((name) => [name, c]));
