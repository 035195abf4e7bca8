import { call, type Expr } from '../src/ir/expr.js';
import { is, isCall, num, numberOf, type Rule } from './expr-terms.js';
import { isSmallWhole, valuesOf } from './whole-numbers.js';

/** A bound that no value passes, where values are known not to be NaN. */
export const unreached =
  (fn: 'min' | 'max'): Rule =>
  ([x, c], _, operands) => {
    const bound = numberOf(c);
    const { low, high, whole } = valuesOf(x!, operands);
    if (bound === undefined || !whole || !Number.isFinite(low + high)) return undefined;
    return (fn === 'min' ? high <= bound : low >= bound) ? x : undefined;
  };

/** (x + c) - c and (x - c) + c for whole numbers, which f32 holds. */
export const cancelled =
  (inner: 'add' | 'sub'): Rule =>
  ([x, c], [t], operands) => {
    if (t !== 'f32' || !isCall(x!, inner) || c?.kind !== 'const' || !is(x.args[1], numberOf(c)!))
      return undefined;
    const plain = isSmallWhole(valuesOf(x.args[0]!, operands)) && isSmallWhole(valuesOf(c, operands));
    return plain ? x.args[0] : undefined;
  };

/** min(max(x + c, a), b) - c for whole numbers: the bounds move instead. */
export const shiftedBounds: Rule = ([x, c], [t], operands) => {
  const shift = numberOf(c);
  if (t !== 'f32' || shift === undefined || !isCall(x!, 'min') || !isCall(x.args[0]!, 'max'))
    return undefined;
  const [sum, low] = x.args[0].args as [Expr, Expr];
  if (!isCall(sum, 'add') || !is(sum.args[1], shift) || !valuesOf(sum.args[0]!, operands).whole)
    return undefined;
  const bounds = [low, x.args[1]!];
  if (!bounds.every((e) => e.kind === 'const' && isSmallWhole(valuesOf(e, operands)))) return undefined;
  if (!Number.isInteger(shift) || Math.abs(shift) > 2 ** 20) return undefined;
  const [l, h] = bounds.map((e) => num(numberOf(e)! - shift, 'f32'));
  return call('min', call('max', sum.args[0]!, l!), h!);
};

/** round(x * s / s) of a whole number. */
export const requantised: Rule = ([q], [t], operands) => {
  if (t !== 'f32' || !isCall(q!, 'div') || !isCall(q.args[0]!, 'mul')) return undefined;
  const [x, by] = q.args[0].args;
  const same = q.args[1]?.kind === 'const' && by?.kind === 'const' && is(by, numberOf(q.args[1])!);
  const scale = Math.abs(numberOf(by) ?? 0);
  return same && scale > 1e-20 && scale < 1e20 && isSmallWhole(valuesOf(x!, operands)) ? x : undefined;
};
