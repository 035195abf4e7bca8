import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { warpOf } from '../../codegen/target.js';
import { bounds, type Dim, numel } from '../../src/ir/dim.js';
import { bitsOf, type DType } from '../../src/ir/type.js';
import { flag } from '../shared/elements.js';
import { hostAddress } from './aligned.js';
import { noEpilogue } from './epilogue.js';
import {
  type Choice,
  chooseTile,
  type Problem,
  sharedBytes,
  type TileKind,
  threadsOf,
  tilingText,
  wideShared,
  wideText,
} from './tiles.js';
import { atMost, isMultiple, manyBlocks } from './vector-width.js';

/** A matrix operand in memory. */
export interface MatrixOperand {
  readonly text: Cpp;
  /** Lines lie along the depth; else across it. */
  readonly deep: boolean;
  /** Elements from line to line. */
  readonly pitch: Dim;
  /** Elements that a copy may move: divides the pitch, the lines' length and every offset. */
  readonly vector: number;
  /** Lines that there are, where zeros follow the matrix. */
  readonly lines?: number;
  /** No kernel writes it. */
  readonly constant?: true;
}

export interface Product {
  readonly element: DType;
  readonly a: MatrixOperand;
  readonly b: MatrixOperand;
  readonly rows: Dim;
  readonly columns: Dim;
  readonly depth: Dim;
  /** Axes in front of the matrices' own, with the steps of A and B in elements. */
  readonly outer: readonly { readonly extent: Dim; readonly a: Dim; readonly b: Dim }[];
  readonly result: Cpp;
  readonly resultType: DType;
  readonly epilogue: Cpp;
  /** What multiplies, where that does not follow from the element type. */
  readonly unit?: Unit;
}

/** What multiplies elements, and the tiles for it. */
export interface Unit {
  readonly text: Cpp;
  readonly tiles: TileKind;
  /** Type of the sums, and what is done with those of a part of the depth. */
  readonly sums: DType;
  readonly partial: Cpp;
}

/** Which matrix unit, or ordinary arithmetic, multiplies elements of a type. */
export function unitOf(t: DType, k: GpuBuilder): Unit {
  return { ...multiplierOf(t, k), sums: computeType(t), partial: noEpilogue(t) };
}

function multiplierOf(t: DType, k: GpuBuilder): Pick<Unit, 'text' | 'tiles'> {
  if (t === 'f16' || t === 'bf16') return { text: cpp`ait::gpu::MatrixUnit<${ctype[t]}>`, tiles: 'matrix' };
  if (t === 'f32') {
    const unit = k.node.attrs.tf32 === true ? cpp`ait::tf32` : ctype[t];
    return { text: cpp`ait::gpu::MatrixUnit<${unit}>`, tiles: 'float' };
  }
  if (t === 'f64' && warpOf(k.target) === 32)
    return { text: cpp`ait::gpu::MatrixUnit<double>`, tiles: 'float' };
  return { text: cpp`ait::gpu::ScalarUnit<${ctype[t]}>`, tiles: 'plain' };
}

/** An extent for choices: the largest it can be, or some of the smallest where there is no largest. */
export const typical = (d: Dim): number => {
  const [least, most] = bounds(d);
  return Math.max(1, Number.isFinite(most) ? most : 8 * Math.max(1, least));
};

/** Partial sums must not take much memory where the run may have any number of rows. */
export const splitsFor = (rows: Dim): number => (Number.isFinite(atMost(rows)) ? 16 : 4);

/** The most elements up to 16 bytes that divide all of these. */
export function vectorOf(t: DType, ...dims: readonly Dim[]): number {
  let width = 128 / bitsOf[t];
  while (width > 1 && !dims.every((d) => isMultiple(d, width))) width /= 2;
  return width;
}

/** Columns that a thread stores at a time. */
export const storeWidth = (t: DType, columns: Dim): number => {
  let width = bitsOf[t] <= 16 ? 8 : 4;
  while (width > 1 && !isMultiple(columns, width)) width /= 2;
  return width;
};

export const int = (x: Cpp): Cpp => cpp`static_cast<int>(${x})`;

const hasHopper = (k: GpuBuilder): boolean => k.target.archs.includes('sm_90a');

/** The launches of a contraction: `wide` on devices of sm_90a, `plain` on the others. */
export function byDevice(
  k: GpuBuilder,
  wide: (() => readonly Launch[]) | false,
  plain: () => readonly Launch[],
): readonly Launch[] {
  if (wide === false || !hasHopper(k)) return plain();
  const onHopper = wide().map((l) => ({ ...l, hopper: true }));
  if (k.target.archs.every((a) => a === 'sm_90a')) return onHopper;
  return [...onHopper, ...plain().map((l) => ({ ...l, hopper: false }))];
}

/** Adds up partial sums behind launches that made them. */
export function reduceLaunch(
  k: GpuBuilder,
  partial: Cpp,
  to: { readonly text: Cpp; readonly type: DType },
  [rows, columns]: readonly [Cpp, Cpp],
  width: number,
  splits: number,
  epilogue: Cpp,
): Launch {
  k.include('ait/gpu/contraction.h');
  return {
    body: cpp`ait::gpu::reduce_splits<${width}>(${partial}, ${to.text}, ${rows}, ${columns}, ${splits}, ${epilogue});`,
    grid: [cpp`ait::gpu::blocks(${rows} * ${columns}, ${256 * width})`],
    threads: 256,
  };
}

/** The launches of a batch of products. */
export function productLaunches(p: Product, k: GpuBuilder): readonly Launch[] {
  if (isSlim(p)) return [slimLaunch(p, k)];
  const [rows, columns, depth] = [p.rows, p.columns, p.depth].map((d) => k.fresh(d)) as [Cpp, Cpp, Cpp];
  const problem: Problem = {
    rows: typical(p.rows),
    columns: typical(p.columns),
    depth: typical(p.depth),
    count: typical(numel(p.outer.map((o) => o.extent))),
    element: p.element,
    // What follows the sums must be known for each matrix, which a reduction behind them does not tell apart.
    mostSplits: p.unit && p.outer.length > 0 ? 1 : splitsFor(p.rows),
  };
  const sizes = { rows, columns, depth };
  const unit = p.unit ?? unitOf(p.element, k);
  const plain = chooseTile(unit.tiles, problem, k.target, unit.sums);
  const whole = [p.a, p.b].every((x) => x.deep && x.vector === 8);
  const wide =
    isHalf(p.element) &&
    whole &&
    p.outer.length === 0 &&
    wideTile({ ...problem, apart: isApart(p) }, plain, k);
  return byDevice(k, wide && (() => wideProduct(p, wide, sizes, k)), () =>
    tiledProduct(p, plain, sizes, unit, k),
  );
}

/** Whether rows of the result begin anywhere. */
const isApart = (p: Product): boolean => !isMultiple(p.columns, 8);

export const isHalf = (t: DType): boolean => t === 'f16' || t === 'bf16';

/** The tile of a Hopper's own instructions, if that is cheaper there than the one for every device. */
export function wideTile(problem: Problem, plain: Choice, k: GpuBuilder): Choice | false {
  if (!hasHopper(k)) return false;
  const wide = chooseTile('wide', problem, k.target, 'f32');
  return wide.cost < plain.cost && wide;
}

interface Sizes {
  readonly rows: Cpp;
  readonly columns: Cpp;
  readonly depth: Cpp;
}

function tiledProduct(
  p: Product,
  { tile, splits }: Choice,
  { rows, columns, depth }: Sizes,
  unit: Unit,
  k: GpuBuilder,
): readonly Launch[] {
  k.include('ait/gpu/gemm.h');
  const { sums } = unit;
  const width = storeWidth(p.resultType, p.columns);
  const axes = p.outer.length;
  const extents = p.outer.map((o) => k.fresh(o.extent));
  const list = (xs: readonly Cpp[]): Cpp => cpp`{${join(xs, ', ')}}`;
  const batches =
    axes === 0
      ? cpp`ait::gpu::Batches<0>{}`
      : cpp`ait::gpu::Batches<${axes}>{${list(extents.map(int))}, ${list(p.outer.map((o) => k.fresh(o.a)))}, ${list(p.outer.map((o) => k.fresh(o.b)))}}`;
  const all = join([rows, ...extents], ' * ');
  const partial =
    splits > 1 && k.scratch(ctype[sums], cpp`${splits} * ${all} * ${columns} * ${bitsOf[sums] / 8}`);
  const operands = cpp`ait::gpu::MatrixOperands<Unit, Tiling, ${flag(p.a.deep)}, ${flag(p.b.deep)}, ${p.a.vector}, ${p.b.vector}>`;
  const shape = cpp`{${join([int(rows), int(columns), int(depth), k.fresh(p.a.pitch), k.fresh(p.b.pitch)], ', ')}}`;
  const count = join(
    [
      ...extents,
      cpp`ait::gpu::blocks(${rows}, ${tile.rows})`,
      cpp`ait::gpu::blocks(${columns}, ${tile.columns})`,
    ],
    ' * ',
  );
  const launch: Launch = {
    body: cpp`
      using Unit = ${unit.text};
      using Tiling = ${tilingText(tile, p.element)};
      ait::gpu::gemm<Unit, Tiling, ${operands}, ${partial ? Math.min(4, width) : width}>(${p.a.text}, ${p.b.text}, ${partial || p.result}, ait::gpu::MatrixShape${shape}, ${batches}, ${partial ? unit.partial : p.epilogue});
    `,
    grid: [count, cpp`${splits}`],
    threads: threadsOf(tile, k.target),
    shared: cpp`${sharedBytes(tile, sums, k.target)}`,
  };
  if (!partial) return [launch];
  const to = { text: p.result, type: p.resultType };
  return [launch, reduceLaunch(k, partial, to, [all, columns], width, splits, p.epilogue)];
}

function wideProduct(
  p: Product,
  choice: Choice,
  { rows, columns, depth }: Sizes,
  k: GpuBuilder,
): readonly Launch[] {
  k.include('ait/gpu/gemm_sm90.h');
  const bf16 = flag(p.element === 'bf16');
  const map = (x: MatrixOperand, lines: Cpp, box: number): Cpp =>
    cpp`ait::gpu::matrix_map(ctx, ${hostAddress(k, x.text)}, ${bf16}, ${x.lines === undefined ? lines : k.fresh(x.lines)}, ${depth}, ${k.fresh(x.pitch)}, ${box}, 64)`;
  const { tile } = choice;
  return wideLaunches(choice, k, {
    call: (out, epilogue) =>
      cpp`ait::gpu::gemm_sm90<${ctype[p.element]}, ${wideText(tile)}, ${flag(p.b.constant === true)}, ${flag(isApart(p))}>(left_map, right_map, ${out}, ${int(rows)}, ${int(columns)}, ${int(depth)}, ${choice.splits}, ${epilogue});`,
    maps: { left_map: map(p.a, rows, tile.rows), right_map: map(p.b, columns, tile.columns) },
    sizes: [rows, columns],
    result: { text: p.result, type: p.resultType },
    epilogue: p.epilogue,
    apart: isApart(p),
  });
}

export interface WideCall {
  readonly call: (out: Cpp, epilogue: Cpp) => Cpp;
  readonly maps: Readonly<Record<string, Cpp>>;
  readonly sizes: readonly [Cpp, Cpp];
  readonly result: { readonly text: Cpp; readonly type: DType };
  readonly epilogue: Cpp;
  readonly apart?: boolean;
}

/** Persistent blocks, as many as the device runs at once, and the reduction behind splits. */
export function wideLaunches({ tile, splits }: Choice, k: GpuBuilder, w: WideCall): readonly Launch[] {
  const [rows, columns] = w.sizes;
  const partial = splits > 1 && k.scratch(cpp`float`, cpp`${splits} * ${rows} * ${columns} * 4`);
  const count = cpp`ait::gpu::blocks(${rows}, ${tile.rows}) * ait::gpu::blocks(${columns}, ${tile.columns}) * ${splits}`;
  const launch: Launch = {
    body: w.call(partial || w.result.text, partial ? noEpilogue('f32') : w.epilogue),
    grid: [cpp`ait::gpu::at_most(${count}, ait::gpu::multiprocessors(ctx) * ${tile.blocks})`],
    threads: 128 * (tile.warps[0] + 1),
    blocks: tile.blocks,
    early: true,
    shared: cpp`${wideShared(tile, w.apart)}`,
    values: Object.entries(w.maps).map(([name, value]) => ({
      type: cpp`ait::gpu::TensorMap`,
      name: new Cpp(name),
      value,
      constant: true as const,
    })),
  };
  if (!partial) return [launch];
  const width = w.apart ? 1 : storeWidth(w.result.type, 8);
  return [launch, reduceLaunch(k, partial, w.result, w.sizes, width, splits, w.epilogue)];
}

/** Few rows on the left, and weights that are worth reading only once. */
const isSlim = (p: Product): boolean => {
  const rows = atMost(p.rows);
  const small = typical(p.columns) * typical(p.depth) <= 1 << 22;
  const float = p.element === 'f16' || p.element === 'bf16' || p.element === 'f32';
  return float && p.a.deep && p.b.deep && p.outer.length === 0 && rows <= (small ? 8 : 2);
};

function slimLaunch(p: Product, k: GpuBuilder): Launch {
  k.include('ait/gpu/gemv.h');
  const rows = atMost(p.rows);
  const held = rows <= 1 ? 1 : rows <= 2 ? 2 : rows <= 4 ? 4 : 8;
  const vector = Math.min(p.a.vector, p.b.vector);
  const columns = held === 8 || typical(p.columns) < 16 * manyBlocks ? 2 : 4;
  const parts = typical(p.depth) >= vector * 64 ? 4 : 1;
  const warps = 4;
  const form = [held, columns, vector, warps, parts].map((n) => cpp`${n}`);
  const [m, n, depth] = [p.rows, p.columns, p.depth].map((d) => k.fresh(d)) as [Cpp, Cpp, Cpp];
  return {
    body: cpp`ait::gpu::gemv<${join(form, ', ')}>(${p.a.text}, ${k.fresh(p.a.pitch)}, ${p.b.text}, ${k.fresh(p.b.pitch)}, ${p.result}, ${int(n)}, ${int(depth)}, ${int(m)}, ${p.epilogue});`,
    grid: [cpp`ait::gpu::blocks(${n}, ${(columns * warps) / parts})`],
    threads: warps * warpOf(k.target),
  };
}
