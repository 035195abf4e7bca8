import type { Expr } from '../src/ir/expr.js';
import {
  dtypeOf,
  type Graph,
  is,
  type Node,
  shapeOf,
  topological,
  usersOf,
  type Value,
} from '../src/ir/graph.js';
import { isInteger } from '../src/ir/type.js';
import { maxRoiPool, nonMaxSuppression, roiAlign } from '../src/ops/boxes.js';
import { concat } from '../src/ops/concat.js';
import { expand } from '../src/ops/expand.js';
import { matmul } from '../src/ops/matmul.js';
import { nonzero, nonzeroCount } from '../src/ops/nonzero.js';
import { oneHot } from '../src/ops/one-hot.js';
import { pointwise } from '../src/ops/pointwise.js';
import { iota, range, rangeCount } from '../src/ops/range.js';
import { reduce } from '../src/ops/reduce.js';
import { reshape } from '../src/ops/reshape.js';
import { resize, resizeExtents } from '../src/ops/resize.js';
import { affineGrid, gridSample } from '../src/ops/sampling.js';
import { slice } from '../src/ops/slice.js';
import { softmax } from '../src/ops/softmax.js';
import { transpose } from '../src/ops/transpose.js';
import { unique } from '../src/ops/unique.js';
import { literalAt } from './literals.js';

/**
 * The nodes that 16 bits would spoil however well the rest bears them: what is computed from integers alone,
 * such as positions, and what becomes such integers, which have more digits than 16 bits hold; places in images;
 * the angles of sines and cosines, whose absolute error counts; and what only roots and logarithms are taken of, such
 * as energies, which are beyond the range of 16 bits where their roots are well within it. `largest` is the largest
 * number of the narrow type: where a constant is beyond it, as in a mask, the node is narrow, since its result would
 * overflow.
 */
export function wideParts(g: Graph, largest: number): ReadonlySet<Node> {
  const nodes = topological(g);
  const counted = new Set<Value>();
  const wide = new Set<Node>();
  for (const n of nodes) {
    if (!moves(n) && !is(n, range) && !is(n, iota) && !isOuter(n)) continue;
    const floats = n.inputs.filter(isWide);
    const seeds = is(n, range) || is(n, iota) || (is(n, pointwise) && n.inputs.some(isCount));
    const known = floats.every((v) => counted.has(v) || literalAt(v) !== undefined);
    if (!known || !(seeds || floats.some((v) => counted.has(v))) || exceeds(n, largest)) continue;
    wide.add(n);
    for (const v of n.outputs) if (isWide(v)) counted.add(v);
  }
  const users = usersOf(g);
  const needed = (v: Value): boolean => {
    const readers = users.get(v) ?? [];
    const exactly = (u: Node): boolean => {
      const placed = u.inputs.some((_, i) => isPlace(u, i));
      return placed ? u.inputs.every((x, i) => x !== v || isPlace(u, i)) : exact.has(u);
    };
    return readers.length > 0 && !g.outputs.includes(v) && readers.every(exactly);
  };
  const exact = new Set<Node>();
  for (const n of nodes.toReversed()) {
    const asks = is(n, pointwise) && contains(n.attrs.expr, isDelicate);
    const leads =
      (moves(n) || is(n, affineGrid) || is(n, reduce) || is(n, softmax)) && n.outputs.every(needed);
    const counts = is(n, pointwise) && n.outputs.every(isCount) && n.inputs.some(isWide);
    const whole = !is(n, oneHot) && !samples(n) && n.inputs.some((_, i) => isPlace(n, i));
    const floats = (asks || leads) && n.outputs.some(isWide) && !exceeds(n, largest);
    if (floats || counts || whole) exact.add(n);
  }
  return new Set([...wide, ...exact]);
}

/** Inputs that say where in a tensor or an image something is, or how many of something there are. */
export const isPlace = (n: Node, i: number): boolean =>
  is(n, nonzeroCount) ||
  is(n, nonzero) ||
  is(n, unique) ||
  is(n, rangeCount) ||
  is(n, range) ||
  (is(n, oneHot) && i === 0) ||
  (is(n, nonMaxSuppression) && i === 0) ||
  is(n, resizeExtents) ||
  (samples(n) && (is(n, resize) ? i > 0 : i === 1));

/** Images in 16 bits may be looked at in places of 32. */
const samples = (n: Node): boolean =>
  is(n, roiAlign) || is(n, maxRoiPool) || is(n, gridSample) || is(n, resize);

const moves = (n: Node): boolean =>
  is(n, pointwise) || is(n, reshape) || is(n, transpose) || is(n, expand) || is(n, slice) || is(n, concat);

/** A product of columns and rows, as of frequencies and positions: nothing is summed. */
const isOuter = (n: Node): boolean =>
  is(n, matmul) && shapeOf(n.inputs[0]!).at(n.attrs.transA ? -2 : -1) === 1;

const isWide = (v: Value): boolean => v.type.kind === 'tensor' && v.type.dtype === 'f32';

/** Integers of more digits than 16 bits hold. */
const isCount = (v: Value): boolean =>
  v.type.kind === 'tensor' && isInteger(dtypeOf(v)) && !['i8', 'u8', 'i4', 'u4'].includes(dtypeOf(v));

/** Calls whose argument 16 bits are too few for where they do for the result. */
const isDelicate = (e: Expr): boolean =>
  e.kind === 'call' && ['sin', 'cos', 'tan', 'log', 'sqrt', 'rsqrt'].includes(e.fn);

/** Whether a constant that a node computes with is beyond the largest number. */
export function exceeds(n: Node, largest: number): boolean {
  const beyond = (x: number): boolean => Number.isFinite(x) && Math.abs(x) > largest;
  if (is(n, pointwise) && contains(n.attrs.expr, (e) => e.kind === 'const' && beyond(Number(e.value))))
    return true;
  return n.inputs.some((v) => {
    const l = literalAt(v);
    if (l?.dtype !== 'f32' || l.size !== 1) return false;
    const bytes = l.bytes();
    return beyond(new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true));
  });
}

export const contains = (e: Expr, found: (e: Expr) => boolean): boolean =>
  found(e) ||
  (e.kind === 'call' && e.args.some((a) => contains(a, found))) ||
  (e.kind === 'cast' && contains(e.arg, found));
