import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch, LaunchValue } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { warpOf } from '../../codegen/target.js';
import { type Dim, mul } from '../../src/ir/dim.js';
import { type Expr, typeOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { type Literal, literal } from '../../src/ir/literal.js';
import { type DType, isFloat } from '../../src/ir/type.js';
import { type Layout, refuseEpilogue } from '../../src/ops/epilogue.js';
import type { Contraction } from '../shared/contractions.js';
import { flag } from '../shared/elements.js';
import { isOne } from '../shared/zero-points.js';
import type { ByteLines, SignedWeights } from './byte-weights.js';
import { epilogueFunctor, noEpilogue } from './epilogue.js';
import { int } from './index-text.js';
import { refuseTypes } from './pointwise.js';
import type { Unit } from './unit.js';

/** Inputs in front of the epilogue's operands: both factors and their zero points. */
const own = 4;

/** Why no epilogue over sums of bytes is made, if none is: narrow floats do not hold the sums. */
export function refuseByteEpilogue(node: Contraction, layout: Layout): string | undefined {
  const { epilogue } = node.attrs;
  const types: readonly DType[] = ['i32', ...node.inputs.slice(own).map(dtypeOf)];
  const rounds = (e: Expr): boolean =>
    (e.kind === 'cast' &&
      (rounds(e.arg) || ((e.to === 'f16' || e.to === 'bf16') && !isFloat(typeOfExpr(e.arg, types))))) ||
    (e.kind === 'call' && e.args.some(rounds));
  if (epilogue && rounds(epilogue)) return 'its epilogue rounds sums to 16 bits';
  return refuseTypes(node) ?? refuseEpilogue(node, own, layout);
}

const int32s = (xs: Int32Array): Literal => literal('i32', [xs.length], new Uint8Array(xs.buffer));

/** What is known of a right operand's lines when the product runs. */
export interface RightPoints {
  /** Zero points, and for each line its sum less depth times its zero point, as text of int32_t*. */
  readonly points: Cpp;
  readonly columns: Cpp;
  /** Whether zero points may differ from 0. */
  readonly some: boolean;
  readonly before: readonly Launch[];
}

const value = (type: Cpp, name: string, x: Cpp): LaunchValue => ({ type, name: new Cpp(name), value: x });

/** The lines' points from constants, or made of zero points that the run reads. */
export function pointsOf(
  k: GpuBuilder,
  { sums, points }: SignedWeights,
  lines: ByteLines,
  depth: number,
): RightPoints {
  if (points) {
    const columns = sums.map((s, i) => s - Math.imul(depth, points[i % lines.points]!));
    const some = points.some((p) => p !== 0);
    return { points: k.weight(int32s(points)), columns: k.weight(int32s(columns)), some, before: [] };
  }
  const zero = k.node.inputs[3]!;
  const room = pointRoom(k, lines.points, lines.count);
  const t = ctype[dtypeOf(zero)];
  const before: Launch = {
    body: cpp`ait::gpu::column_points(sums, zero, step, matrices, count, less, depth, columns, points);`,
    grid: [cpp`${Math.ceil(lines.count / 256)}`],
    threads: 256,
    values: [
      value(cpp`const int32_t*`, 'sums', k.weight(int32s(sums))),
      value(cpp`const ${t}*`, 'zero', k.input(3)),
      value(cpp`int64_t`, 'step', k.fresh(isOne(shapeOf(zero)) ? 0 : 1)),
      value(cpp`int64_t`, 'matrices', k.fresh(lines.count / lines.points)),
      value(cpp`int64_t`, 'count', k.fresh(lines.points)),
      value(cpp`int32_t`, 'less', int(k.fresh(dtypeOf(zero) === 'u8' ? 128 : 0))),
      value(cpp`int32_t`, 'depth', int(k.fresh(depth))),
      value(cpp`int32_t*`, 'columns', room.columns),
      value(cpp`int32_t*`, 'points', room.points),
    ],
    alone: ['ait/gpu/integer_gemm.h'],
  };
  return { ...room, some: true, before: [before] };
}

function pointRoom(k: GpuBuilder, points: Dim, lines: Dim): { readonly points: Cpp; readonly columns: Cpp } {
  return {
    points: k.scratch(cpp`int32_t`, cpp`${k.fresh(points)} * 4`),
    columns: k.scratch(cpp`int32_t`, cpp`${k.fresh(lines)} * 4`),
  };
}

/** How a right operand that the run reads lies in memory, as ByteLines of integer_gemm.h lists it. */
export interface PackedLines {
  readonly matrices: Dim;
  readonly count: Dim;
  readonly lineStep: Dim;
  readonly matrixStep: Dim;
  readonly outer: Dim;
  readonly inner: Dim;
  readonly padded: Dim;
  readonly outerStep: Dim;
  readonly innerStep: Dim;
  readonly pitch: Dim;
}

/** Packs a right operand as the run reads it. */
export function packedBytes(k: GpuBuilder, p: PackedLines): RightPoints & { readonly packed: Cpp } {
  const [v, zero] = [k.node.inputs[1]!, k.node.inputs[3]!];
  const t = ctype[dtypeOf(v)];
  const packed = k.scratch(cpp`int8_t`, k.fresh(mul(p.matrices, p.count, p.pitch)));
  const room = pointRoom(k, p.count, mul(p.matrices, p.count));
  const field = (name: string, d: Dim, type = 'int64_t') => value(new Cpp(type), name, k.fresh(d));
  const before: Launch = {
    body: cpp`
      const ait::gpu::ByteLines lines = {count, line_step, matrix_step, outer, inner, padded, outer_step, inner_step, pitch, point_step};
      ait::gpu::pack_bytes(from, zero, matrices, lines, to, columns, points);
    `,
    grid: [cpp`ait::gpu::blocks(${k.fresh(mul(p.matrices, p.count))}, 256)`],
    threads: 256,
    values: [
      field('matrices', p.matrices),
      field('count', p.count),
      field('line_step', p.lineStep),
      field('matrix_step', p.matrixStep),
      field('outer', p.outer, 'int'),
      field('inner', p.inner, 'int'),
      field('padded', p.padded, 'int'),
      field('outer_step', p.outerStep),
      field('inner_step', p.innerStep),
      field('pitch', p.pitch),
      field('point_step', isOne(shapeOf(zero)) ? 0 : 1),
      value(cpp`const ${t}*`, 'from', k.input(1)),
      value(cpp`const ${t}*`, 'zero', k.input(3)),
      value(cpp`int8_t*`, 'to', packed),
      value(cpp`int32_t*`, 'columns', room.columns),
      value(cpp`int32_t*`, 'points', room.points),
    ],
    alone: ['ait/gpu/integer_gemm.h'],
  };
  const l = constantOf(zero);
  const some = !(l && dtypeOf(v) === 'i8' && l.numbers().every((x) => x === 0));
  return { ...room, packed, some, before: [before] };
}

/** Lines filled up from `own` to `padded` bytes, by *fill or by zeros. */
export function filledBytes(
  k: GpuBuilder,
  count: Dim,
  [groups, each, padded]: readonly [number, Dim, Dim],
  width: number,
  fill: Cpp | undefined,
): { readonly text: Cpp; readonly before: Launch } {
  const line = mul(groups, padded);
  const to = k.scratch(cpp`int8_t`, k.fresh(mul(count, line)));
  const before: Launch = {
    body: cpp`ait::gpu::fill_bytes<${width}>(from, to, count, groups, own, padded, fill);`,
    grid: [cpp`ait::gpu::blocks(${k.fresh(mul(count, line))}, ${256 * width})`],
    threads: 256,
    values: [
      value(cpp`const int8_t*`, 'from', asBytes(k.input(0))),
      value(cpp`int8_t*`, 'to', to),
      value(cpp`int64_t`, 'count', k.fresh(count)),
      value(cpp`int`, 'groups', int(k.fresh(groups))),
      value(cpp`int`, 'own', int(k.fresh(each))),
      value(cpp`int`, 'padded', int(k.fresh(padded))),
      value(cpp`const int8_t*`, 'fill', fill ? asBytes(fill) : cpp`nullptr`),
    ],
    alone: ['ait/gpu/integer_gemm.h'],
  };
  return { text: to, before };
}

export const asBytes = (p: Cpp): Cpp => cpp`reinterpret_cast<const int8_t*>(${p})`;

/** The only value of a zero point of A, where it is known. */
export function leftPoint(k: GpuBuilder): number | undefined {
  const l = constantOf(k.node.inputs[2]!);
  const [first, ...others] = l?.numbers() ?? [];
  return others.every((x) => x === first) ? first : undefined;
}

/** What multiplies bytes, and what follows the sums. */
export function byteUnit(
  node: Contraction,
  k: GpuBuilder,
  layout: Layout,
  right: RightPoints,
  depth: Cpp,
  matrix: { readonly size: Dim; readonly columns: Dim },
): { readonly unit: Unit; readonly epilogue: Cpp } {
  k.include('ait/gpu/integer_gemm.h');
  const t = dtypeOf(node.inputs[0]!);
  // Matrix units of warps of 64 lanes know signed bytes only.
  const less = t === 'u8' && warpOf(k.target) === 64 ? 128 : 0;
  const then = epilogueFunctor(node, k, { own, sums: 'i32', layout });
  const around = (): Cpp => cpp`ait::gpu::RightPoints{${right.points}, ${int(k.fresh(less))}, ${int(depth)}}`;
  const unit: Unit = {
    text: cpp`ait::gpu::ByteUnit<${ctype[t]}, ${flag(right.some)}>`,
    tiles: right.some ? 'summed' : 'matrix',
    sums: 'i32',
    partial: right.some ? cpp`ait::gpu::PartialByteSums{${around()}}` : noEpilogue('i32'),
  };
  if (!right.some && less === 0 && leftPoint(k) === 0) return { unit, epilogue: then };
  const step = k.fresh(isOne(shapeOf(node.inputs[2]!)) ? 0 : 1);
  const epilogue = cpp`ait::gpu::around_points(${around()}, ${then}, ${right.columns}, ${k.input(2)}, ${step}, ${k.fresh(matrix.size)}, ${k.fresh(matrix.columns)})`;
  return { unit, epilogue };
}
