import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { warpOf } from '../../codegen/target.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { bitsOf, type DType } from '../../src/ir/type.js';
import { flag } from '../shared/elements.js';
import { hostAddress } from './aligned.js';
import { byDevice, wideLaunches, wideTile } from './hopper.js';
import { int } from './index-text.js';
import { reduceLaunch, splitsFor } from './splits.js';
import {
  type Choice,
  chooseTile,
  type Problem,
  sharedBytes,
  threadsOf,
  tilingText,
  wideText,
} from './tiles.js';
import { isHalf, type Unit, unitOf } from './unit.js';
import { atMost, isMultiple, manyBlocks, storeWidth, typical } from './vector-width.js';

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
