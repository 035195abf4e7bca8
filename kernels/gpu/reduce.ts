import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { type Dim, isStatic, numel, type Shape, select } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { reducedFlags } from '../../src/ops/reduce.js';
import { listOf } from '../shared/elements.js';
import {
  argReduceTraits,
  noReduction,
  plan,
  reduceFunctors,
  reduceTraits,
  reduceType,
  refuseReduce,
} from '../shared/reduce.js';
import { refuseTypes } from './pointwise.js';
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

export const reduceKernel = defineGpuKernel({
  ...reduceTraits,

  refuse: (node) => refuseReduce(node) ?? refuseTypes(node),

  emit: ({ inputs, attrs: { kind, axes } }, k) => {
    const x = inputs[0]!;
    const t = dtypeOf(x);
    const shape = shapeOf(x);
    const element = reduceType(t);
    const operation = cpp`ait::gpu::${new Cpp(reduceFunctors[kind])}<${element}>`;
    if (!isStatic(axes)) return reduction(partitioned(shape, reducedFlags(shape.length, axes), t, k), k);
    const { groups, sizes } = plan(shape, axes);
    const dense = { load: cpp`ait::gpu::read(${elements(k)})`, types: [t] };
    const strided = groups && {
      load: cpp`ait::gpu::StridedRead<${elementType(t)}, ${groups.length}>{${elements(k)}, {${listOf(
        k,
        groups.map((g) => g.extent),
      )}}, {${listOf(
        k,
        groups.map((g) => g.stride),
      )}}}`,
      types: [],
    };
    return reduction({ operation, element, sizes, ...(strided ?? dense) }, k);

    /** Which axes are reduced is known to the running model only. */
    function partitioned(all: Shape, flags: readonly Dim[], type: DType, b: GpuBuilder): Reduction {
      const kept = numel(all.map((d, i) => select(flags[i]!, 1, d)));
      const dropped = numel(all.map((d, i) => select(flags[i]!, d, 1)));
      const load = cpp`ait::gpu::partition<${elementType(type)}, ${all.length}>(${elements(b)}, {${listOf(b, all)}}, {${listOf(b, flags)}})`;
      return { operation, element, load, types: [], sizes: [kept, dropped, 1] };
    }
  },
});

export const argReduceKernel = defineGpuKernel({
  ...argReduceTraits,
  refuse: (node) => noReduction(dtypeOf(node.inputs[0]!)) ?? refuseTypes(node),
  emit: ({ inputs, attrs: { axis, largest, last } }, k) => {
    const t = dtypeOf(inputs[0]!);
    const shape = shapeOf(inputs[0]!);
    const element = reduceType(t);
    const flags = new Cpp(`${largest}, ${last}`);
    return reduction(
      {
        operation: cpp`ait::gpu::ArgOp<${element}, ${flags}>`,
        element,
        load: cpp`ait::gpu::read(${elements(k)})`,
        types: [t],
        sizes: [numel(shape.slice(0, axis)), shape[axis]!, numel(shape.slice(axis + 1))],
      },
      k,
    );
  },
});

/** Truth values are ordered like their bytes. */
const elementType = (t: DType): Cpp => ctype[t === 'bool' ? 'u8' : t];

/** The input as elements that can be computed with. */
function elements(k: GpuBuilder): Cpp {
  const t = dtypeOf((k.node as Node).inputs[0]!);
  return t === 'bool' ? cpp`reinterpret_cast<const uint8_t*>(${k.input(0)})` : k.input(0);
}

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
