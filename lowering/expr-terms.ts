import { constant, type Expr, type ScalarFunction } from '../src/ir/expr.js';
import type { DType } from '../src/ir/type.js';

export const numberOf = (e: Expr | undefined): number | undefined =>
  e?.kind === 'const' ? Number(e.value) : undefined;
export const is = (e: Expr | undefined, value: number): boolean => Object.is(numberOf(e), value);
export type CallOf<F extends ScalarFunction> = Extract<Expr, { kind: 'call' }> & { readonly fn: F };
export const isCall = <F extends ScalarFunction>(e: Expr, fn: F): e is CallOf<F> =>
  e.kind === 'call' && e.fn === fn;
export const num = (value: number, t: DType): Expr =>
  constant(t === 'i64' || t === 'u64' ? BigInt(value) : value, t);

/** A simpler expression for a call; `types` are those of its arguments, `operands` those of the node's inputs. */
export type Rule = (
  args: readonly Expr[],
  types: readonly DType[],
  operands: readonly DType[],
) => Expr | undefined;
