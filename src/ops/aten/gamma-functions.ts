import { arg, call, type Expr, constant as konst } from '../../ir/expr.js';
import { castTo } from '../cast.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { add, div, mul, sub } from './formulas.js';
import { one } from './operands.js';

/** Coefficients of 1/z, 1/z^3, … in Stirling's series of the logarithm of Γ: B(2k) / (2k (2k - 1)). */
const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
/** From here on the series is exact to double precision. */
const shift = 10;

const k = (x: number): Expr => konst(x, 'f64');

/** A polynomial of w, its coefficients from the constant one on. */
const polynomial = (coefficients: readonly number[], w: Expr): Expr =>
  coefficients.reduceRight<Expr | undefined>((sum, c) => (sum ? add(mul(sum, w), k(c)) : k(c)), undefined)!;

const steps = Array.from({ length: shift }, (_, i) => i);

/** Of numbers that are positive, moved to where the series holds. */
function logGammaAbove(x: Expr): Expr {
  const z = add(x, k(shift));
  const inverse = div(k(1), z);
  const series = mul(inverse, polynomial(stirling, mul(inverse, inverse)));
  const main = sub(mul(sub(z, k(0.5)), call('log', z)), sub(z, k(Math.log(2 * Math.PI) / 2)));
  const product = steps.map((i) => (i === 0 ? x : add(x, k(i)))).reduce(mul);
  return sub(add(main, series), call('log', product));
}

function digammaAbove(x: Expr): Expr {
  const z = add(x, k(shift));
  const inverse = div(k(1), z);
  const square = mul(inverse, inverse);
  const derived = stirling.map((c, i) => c * (2 * i + 1));
  const series = add(mul(k(0.5), inverse), mul(square, polynomial(derived, square)));
  const behind = steps.map((i) => div(k(1), i === 0 ? x : add(x, k(i)))).reduce(add);
  return sub(sub(call('log', z), series), behind);
}

/** Below 1/2 a function of Γ is that of its mirror image, and of a sine. */
function mirrored(x: Expr, above: (x: Expr) => Expr, turned: (above: Expr, angle: Expr) => Expr): Expr {
  const low = call('lt', x, k(0.5));
  const y = above(call('select', low, sub(k(1), x), x));
  // A whole number of half turns changes nothing, and small angles are exact.
  const angle = mul(sub(x, call('round', x)), k(Math.PI));
  return call('select', low, turned(y, angle), y);
}

const logGamma = (x: Expr): Expr => {
  const found = mirrored(x, logGammaAbove, (y, angle) =>
    sub(call('log', div(k(Math.PI), call('abs', call('sin', angle)))), y),
  );
  return call('select', call('isinf', x), k(Number.POSITIVE_INFINITY), found);
};

/** At 0 the limit from the side of its sign; the other poles have no value. */
const digamma = (x: Expr): Expr => {
  const found = mirrored(x, digammaAbove, (y, angle) => sub(y, div(k(Math.PI), call('tan', angle))));
  const pole = call('and', call('le', x, k(0)), call('eq', x, call('floor', x)));
  const none = call('select', call('eq', x, k(0)), div(k(-1), x), k(Number.NaN));
  return call('select', pole, none, found);
};

/** In double precision, rounded at the end. */
const inDouble =
  (formula: (x: Expr) => Expr): AtenConverter =>
  (n, b) => {
    const x = castTo(b, n.tensor('self'), 'f64');
    return castTo(b, one(b, x, formula(arg(0))), n.result().dtype);
  };

export const gammaFunctions: AtenMap = {
  lgamma: inDouble(logGamma),
  special_gammaln: inDouble(logGamma),
  digamma: inDouble(digamma),
  special_digamma: inDouble(digamma),
};
