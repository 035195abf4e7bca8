import { type Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import type { Dim } from '../../src/ir/dim.js';
import { dtypeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { blockOf, columnGroups } from './row-groups.js';
import { atMost, manyBlocks, powerOfTwo, vectorWidth } from './vector-width.js';

/** A reduction of [outer][axis][inner]. */
export interface Reduction {
  readonly operation: Cpp;
  /** The type it is computed in. */
  readonly element: Cpp;
  readonly load: Cpp;
  /** What the functor loads from, where it may be asked for several neighbouring elements at once. */
  readonly types: readonly DType[];
  readonly sizes: readonly [Dim, Dim, Dim];
}

/** Truth values are ordered like their bytes. */
export const elementType = (t: DType): Cpp => ctype[t === 'bool' ? 'u8' : t];

export function reduction(r: Reduction, k: GpuBuilder): readonly Launch[] {
  k.include('ait/gpu/reduce.h');
  return r.sizes[2] === 1 ? rowLaunches(r, k) : columnLaunches(r, k);
}

function store({ operation }: Reduction, y: Cpp, n: Cpp, k: GpuBuilder): Cpp {
  const t = dtypeOf(k.node.outputs[0]!);
  const to = t === 'bool' ? cpp`reinterpret_cast<uint8_t*>(${y})` : y;
  return cpp`ait::gpu::StoreResult<${operation}, ${elementType(t)}>{${to}, ${n}}`;
}

/** Elements of an axis that make a part worth a block of its own. */
const longPart = 4096;

/** How many parts an axis is cut in, so that few results keep the device busy; the launch that joins them is not free. */
function partsOf(blocks: number, work: number): number {
  if (!Number.isFinite(work) || blocks >= manyBlocks / 2) return 1;
  return Math.max(1, Math.min(Math.floor((2 * manyBlocks) / blocks), Math.floor(work / longPart), 256));
}

function rowLaunches(r: Reduction, k: GpuBuilder): readonly Launch[] {
  const [outer, axis] = r.sizes;
  const [rows, n] = [k.arg(outer), k.arg(axis)];
  const vector = r.types.length === 0 ? 1 : vectorWidth(r.types, axis);
  const parts = partsOf(atMost(outer), atMost(axis));
  const loads = atMost(axis) / vector;
  const group = parts > 1 || loads > 1024 ? 256 : Math.min(32, powerOfTwo(loads / 2));
  const threads = group === 256 ? group : blockOf(group, outer, 256, k.target);
  const rowsText = (
    operation: Cpp,
    element: Cpp,
    size: number,
    width: number,
    count: Cpp,
    load: Cpp,
    to: Cpp,
  ): Cpp =>
    cpp`ait::gpu::reduce_rows<${operation}, ${element}, ${size}, ${width}>(${rows}, ${count}, ${load}, ${to});`;
  const whole = (
    count: Cpp,
    load: Cpp,
    operation: Cpp,
    element: Cpp,
    size: number,
    width: number,
  ): Launch => ({
    body: rowsText(operation, element, size, width, count, load, store(r, k.output(), n, k)),
    grid: [cpp`ait::gpu::blocks(${rows}, ${threads / size})`],
    threads,
  });
  if (parts === 1) return [whole(n, r.load, r.operation, r.element, group, vector)];
  const state = cpp`${r.operation}::State`;
  const states = statesOf(cpp`${rows} * ${parts}`, k);
  const p = cpp`reinterpret_cast<${state}*>(${states})`;
  return [
    {
      body: rowsText(
        r.operation,
        r.element,
        group,
        vector,
        n,
        r.load,
        cpp`ait::gpu::StoreState<${state}>{${p}}`,
      ),
      grid: [cpp`ait::gpu::blocks(${rows}, ${threads / group})`, cpp`${parts}`],
      threads,
    },
    whole(
      cpp`${parts}`,
      cpp`ait::gpu::ReadStates<${state}>{${p}}`,
      cpp`ait::gpu::MergeOp<${r.operation}>`,
      state,
      32,
      1,
    ),
  ];
}

/** Memory for states, which are of at most 16 bytes. */
const statesOf = (count: Cpp, k: GpuBuilder): Cpp => k.scratch(cpp`uint8_t`, cpp`${count} * 16`);

function columnLaunches(r: Reduction, k: GpuBuilder): readonly Launch[] {
  const [outer, axis, inner] = r.sizes;
  const [o, n, i] = [k.arg(outer), k.arg(axis), k.arg(inner)];
  const { columns, vector, threads } = columnGroups(r.types, outer, inner);
  const tiles = (count: Cpp, width: number): Cpp => cpp`${o} * ait::gpu::blocks(${count}, ${width})`;
  const blocks = (atMost(outer) * atMost(inner)) / (columns * vector);
  const parts = partsOf(Math.max(1, blocks), atMost(axis) * columns * vector);
  const text = (operation: Cpp, element: Cpp, width: number, count: Cpp, load: Cpp, to: Cpp): Cpp =>
    cpp`ait::gpu::reduce_columns<${operation}, ${element}, ${columns}, ${threads}, ${width}>(${count}, ${i}, ${load}, ${to});`;
  const whole = (operation: Cpp, element: Cpp, width: number, count: Cpp, load: Cpp): Launch => ({
    body: text(operation, element, width, count, load, store(r, k.output(), n, k)),
    grid: [tiles(i, columns * width)],
    threads,
  });
  if (parts === 1) return [whole(r.operation, r.element, vector, n, r.load)];
  const state = cpp`${r.operation}::State`;
  const p = cpp`reinterpret_cast<${state}*>(${statesOf(cpp`${o} * ${parts} * ${i}`, k)})`;
  return [
    {
      body: text(r.operation, r.element, vector, n, r.load, cpp`ait::gpu::StoreState<${state}>{${p}}`),
      grid: [tiles(i, columns * vector), cpp`${parts}`],
      threads,
    },
    whole(
      cpp`ait::gpu::MergeOp<${r.operation}>`,
      state,
      1,
      cpp`${parts}`,
      cpp`ait::gpu::ReadStates<${state}>{${p}}`,
    ),
  ];
}
