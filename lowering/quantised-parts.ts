import type { Expr } from '../src/ir/expr.js';
import { dtypeOf, type Graph, is, type Node, shapeOf, topological, type Value } from '../src/ir/graph.js';
import type { DType } from '../src/ir/type.js';
import { convInteger } from '../src/ops/conv-integer.js';
import { expand } from '../src/ops/expand.js';
import { isByte, matmulInteger } from '../src/ops/matmul-integer.js';
import { pointwise } from '../src/ops/pointwise.js';
import { dequantize, quantize } from '../src/ops/quantize.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { contains, exceeds } from './wide-parts.js';

/** Scales have this many elements at most. */
const mostScales = 1 << 14;

/**
 * The nodes of a quantised model that 16 bits would spoil: sums of products of integers until they are scaled, what
 * reads integers of more digits than 16 bits hold, what rounds to integers, and the scales of all these. Their
 * neighbours still store 16 bits: the conversions become part of the kernels.
 */
export function quantisedParts(g: Graph, largest: number): ReadonlySet<Node> {
  const nodes = topological(g);
  const wide = new Set<Node>();
  const sums = new Set<Value>();
  for (const n of nodes) {
    if (is(n, matmulInteger) || is(n, convInteger) || is(n, quantize) || is(n, dequantize)) {
      wide.add(n);
      continue;
    }
    const reads = n.inputs.some((v) => sums.has(v) || (is(n, pointwise) && isLong(v)));
    const counts = n.outputs.some((v) => isLong(v) || isBytes(v));
    const rounds = counts && is(n, pointwise) && contains(n.attrs.expr, isRounding);
    if (!(reads && moves(n)) && !rounds) continue;
    if (exceeds(n, largest)) continue;
    wide.add(n);
    const scales = is(n, pointwise) && contains(n.attrs.expr, isScaling);
    if (reads && !scales) for (const v of n.outputs) if (isFloat32(v)) sums.add(v);
  }
  const scales = new Set<Value>();
  for (const n of nodes.toReversed()) {
    if (moves(n) && n.outputs.some((v) => scales.has(v)) && !exceeds(n, largest)) wide.add(n);
    if (!wide.has(n)) continue;
    for (const v of n.inputs) if (isFloat32(v) && isSmall(v)) scales.add(v);
  }
  return wide;
}

const moves = (n: Node): boolean => is(n, pointwise) || is(n, reshape) || is(n, transpose) || is(n, expand);

const long: readonly DType[] = ['i16', 'u16', 'i32', 'u32'];
const isLong = (v: Value): boolean => v.type.kind === 'tensor' && long.includes(dtypeOf(v));
const isBytes = (v: Value): boolean => v.type.kind === 'tensor' && isByte(dtypeOf(v));
const isFloat32 = (v: Value): boolean => v.type.kind === 'tensor' && dtypeOf(v) === 'f32';

const isRounding = (e: Expr): boolean => e.kind === 'call' && ['round', 'floor', 'ceil'].includes(e.fn);
const isScaling = (e: Expr): boolean => e.kind === 'call' && (e.fn === 'mul' || e.fn === 'div');

const isSmall = (v: Value): boolean => {
  const size = shapeOf(v).reduce<number>((a, d) => (typeof d === 'number' ? a * d : Number.NaN), 1);
  return size <= mostScales;
};
