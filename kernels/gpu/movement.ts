import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { add, type Dim, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { concat } from '../../src/ops/concat.js';
import { expand } from '../../src/ops/expand.js';
import { pad } from '../../src/ops/pad.js';
import { slice } from '../../src/ops/slice.js';
import { stridedView } from '../../src/ops/strided-view.js';
import { transpose } from '../../src/ops/transpose.js';
import { carrier, type Ends, refusePacked } from '../cpu/elements.js';
import { mergeAxes } from '../cpu/loop.js';
import * as cpu from '../cpu/movement.js';
import { indexText, indexType } from './index-text.js';

const threads = 256;

/** A pointer to elements that are only moved. */
const moved = (k: GpuBuilder, pointer: Cpp, i: number): Cpp =>
  cpp`reinterpret_cast<const ${carrier(dtypeOf(k.node.inputs[i]!))}*>(${pointer})`;

const target = (k: GpuBuilder): Cpp =>
  cpp`reinterpret_cast<${carrier(dtypeOf(k.node.outputs[0]!))}*>(${k.output()})`;

/** One thread an element of the result, whose value is `value` at the indices i0, i1, … of `extents`. */
function elementwise(
  k: GpuBuilder,
  extents: readonly Cpp[],
  shape: Shape,
  value: Cpp,
  before: readonly Cpp[] = [],
): Launch {
  const type = indexType(shape, ...k.node.inputs.map(shapeOf));
  const count = join(extents, ' * ');
  return {
    body: cpp`
      const ${type} i = static_cast<${type}>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread();
      if (i >= ${count}) return;
      ${indexText(extents, type)}
      ${before}
      ${target(k)}[i] = ${value};
    `,
    grid: [cpp`ait::gpu::blocks(${count}, ${threads})`],
    threads,
  };
}

const sumOf = (terms: readonly Cpp[]): Cpp => (terms.length === 0 ? cpp`0` : join(terms, ' + '));

/** Copies what the node's strided view of its input shows. */
function copy(k: GpuBuilder): Launch {
  const { inputs, outputs } = k.node;
  const view = stridedView(k.node)!;
  const out = shapeOf(outputs[0]!);
  const nest = mergeAxes(out, [view.strides]);
  const strides = nest.strides[0]!;
  const x = moved(k, k.input(0), 0);
  const from = cpp`${x} + ${k.dim(view.offset)}`;
  const tile = tileOf(nest.extents, strides);
  if (tile) return transposed(k, nest.extents, strides, tile, from);
  // Neighbours that stay neighbours move together.
  const whole =
    strides.at(-1) === 1 ? widthOf([nest.extents.at(-1)!, ...strides.slice(0, -1), view.offset]) : 1;
  const bytes = carrierBytes(dtypeOf(inputs[0]!));
  const width = Math.min(whole, 16 / bytes);
  const type = indexType(out, ...inputs.map(shapeOf));
  if (width === 1) {
    const extents = nest.extents.map((d) => k.dim(d));
    const terms = strides.flatMap((s, d) =>
      s === 0 ? [] : [cpp`i${d} * static_cast<${type}>(${k.dim(s)})`],
    );
    return elementwise(k, extents, out, cpp`(${from})[${sumOf(terms)}]`);
  }
  k.include('ait/gpu/rows.h');
  const last = nest.extents.length - 1;
  const extents = nest.extents.map((d, i) => (i === last ? cpp`(${k.dim(d)} / ${width})` : k.dim(d)));
  const terms = strides.flatMap((s, d) =>
    s === 0 ? [] : [d === last ? cpp`i${d} * ${width}` : cpp`i${d} * static_cast<${type}>(${k.dim(s)})`],
  );
  const count = join(extents, ' * ');
  return {
    body: cpp`
      const ${type} i = static_cast<${type}>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread();
      if (i >= ${count}) return;
      ${indexText(extents, type)}
      ait::gpu::move<${width}>(${target(k)} + i * ${width}, ${from} + (${sumOf(terms)}));
    `,
    grid: [cpp`ait::gpu::blocks(${count}, ${threads})`],
    threads,
  };
}

const carrierBytes = (t: Parameters<typeof carrier>[0]): number =>
  ({ uint8_t: 1, uint16_t: 2, uint32_t: 4, uint64_t: 8 })[carrier(t).text] ?? 16;

/** The largest power of two that divides all of these. */
function widthOf(steps: readonly Dim[]): number {
  let width = 16;
  for (const d of steps) while (width > 1 && !(typeof d === 'number' && d % width === 0)) width /= 2;
  return width;
}

/** The axis whose neighbours lie together in the input, where it is not the last. */
function tileOf(extents: Shape, strides: Shape): number | undefined {
  const last = extents.length - 1;
  const at = strides.indexOf(1);
  if (at < 0 || at === last || strides[last] === 0) return undefined;
  const small = (d: Dim): boolean => typeof d === 'number' && d < 8;
  return small(extents[at]!) && small(extents[last]!) ? undefined : at;
}

/** Tiles of 32 × 32 through shared memory: both reads and writes run along neighbours. */
function transposed(k: GpuBuilder, extents: Shape, strides: Shape, axis: number, from: Cpp): Launch {
  const last = extents.length - 1;
  const rest = extents.map((_, d) => d).filter((d) => d !== axis && d !== last);
  const type = indexType(shapeOf(k.node.outputs[0]!), ...k.node.inputs.map(shapeOf));
  const [rows, columns] = [k.dim(extents[axis]!), k.dim(extents[last]!)];
  const outer = rest.map((d) => k.dim(extents[d]!));
  const dense = extents.map((_, d) => numel(extents.slice(d + 1)));
  const place = (steps: Shape): Cpp =>
    sumOf(rest.map((d, i) => cpp`i${i} * static_cast<${type}>(${k.dim(steps[d]!)})`));
  const T = carrier(dtypeOf(k.node.outputs[0]!));
  k.include('ait/gpu/transpose.h');
  return {
    body: cpp`
      const ${type} i = ait::gpu::block_z() * static_cast<${type}>(65535) + ait::gpu::block_y();
      if (i >= ${outer.length === 0 ? cpp`1` : join(outer, ' * ')}) return;
      ${indexText(outer, type)}
      ait::gpu::transpose_tile<${T}>(${from} + (${place(strides)}), ${k.dim(strides[last]!)}, ${target(k)} + (${place(dense)}), ${k.dim(dense[axis]!)}, ${rows}, ${columns});
    `,
    grid: [
      cpp`ait::gpu::blocks(${rows}, 32) * ait::gpu::blocks(${columns}, 32)`,
      cpp`ait::min_of<int64_t>(65535, ${outer.length === 0 ? cpp`1` : join(outer, ' * ')})`,
      cpp`ait::gpu::blocks(${outer.length === 0 ? cpp`1` : join(outer, ' * ')}, 65535)`,
    ],
    threads,
  };
}

const refuseOpen = (node: Ends): string | undefined =>
  [...node.inputs, ...node.outputs].some((v) => shapeOf(v).length > 12)
    ? 'it has more than 12 axes'
    : refusePacked(node);

export const transposeKernel = defineGpuKernel({
  op: transpose,
  refuse: refuseOpen,
  alias: cpu.transposeKernel.alias!,
  emit: (_, k) => copy(k),
});

export const sliceKernel = defineGpuKernel({
  op: slice,
  refuse: refuseOpen,
  alias: cpu.sliceKernel.alias!,
  emit: (node, k) => {
    k.before(cpu.insideCheck(node, (d) => k.arg(d)));
    return copy(k);
  },
});

export const expandKernel = defineGpuKernel({
  op: expand,
  refuse: refuseOpen,
  alias: cpu.expandKernel.alias!,
  emit: (node, k) => {
    k.before(cpu.broadcastCheck(node, (d) => k.arg(d)));
    return copy(k);
  },
});

export const concatKernel = defineGpuKernel({
  op: concat,
  refuse: refusePacked,
  joins: cpu.concatKernel.joins!,
  emit: (node, k) => {
    const { inputs, outputs } = node;
    const { axis } = node.attrs;
    const y = shapeOf(outputs[0]!);
    k.before(cpu.joinCheck(node, (d) => k.arg(d)));
    const whole = numel(y.slice(axis));
    k.include('ait/gpu/rows.h');
    let offset: Dim = 0;
    return inputs.map((v, i): Launch => {
      const row = numel(shapeOf(v).slice(axis));
      const bytes = carrierBytes(dtypeOf(v));
      const width = Math.min(16 / bytes, widthOf([row, whole, offset]));
      const [rows, columns] = [k.dim(numel(y.slice(0, axis))), cpp`(${k.dim(row)} / ${width})`];
      const type = indexType(y);
      const body = cpp`
        const ${type} i = static_cast<${type}>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread();
        if (i >= ${rows} * ${columns}) return;
        ${indexText([rows, columns], type)}
        ait::gpu::move<${width}>(${target(k)} + i0 * static_cast<${type}>(${k.dim(whole)}) + ${k.dim(offset)} + i1 * ${width}, ${moved(k, k.input(i), i)} + i * ${width});
      `;
      offset = add(offset, row);
      return { body, grid: [cpp`ait::gpu::blocks(${rows} * ${columns}, ${threads})`], threads };
    });
  },
});

export const padKernel = defineGpuKernel({
  op: pad,
  refuse: refuseOpen,
  emit: ({ inputs, outputs, attrs }, k) => {
    const shape = shapeOf(inputs[0]!);
    const out = shapeOf(outputs[0]!);
    const strides = shape.map((_, d) => numel(shape.slice(d + 1)));
    const fill =
      inputs.length > 1 ? cpp`*${moved(k, k.input(1), 1)}` : cpp`${carrier(dtypeOf(inputs[0]!))}{}`;
    const at = shape.map(
      (n, d) =>
        cpp`ait::gpu::padded<ait::gpu::Pad::${padModes[attrs.mode]}>(static_cast<int64_t>(i${d}) - ${k.dim(attrs.before[d]!)}, ${k.dim(n)})`,
    );
    k.include('ait/gpu/rows.h');
    const extents = out.map((d) => k.dim(d));
    const inside = shape.map((_, d) => cpp`p${d} >= 0`);
    const place = sumOf(shape.map((_, d) => cpp`p${d} * ${k.dim(strides[d]!)}`));
    const before = [
      ...at.map((p, d) => cpp`const int64_t p${d} = ${p};`),
      cpp`const bool inside = ${inside.length === 0 ? cpp`true` : join(inside, ' && ')};`,
    ];
    const value = cpp`inside ? ${moved(k, k.input(0), 0)}[${place}] : ${fill}`;
    return elementwise(k, extents.length === 0 ? [cpp`1`] : extents, out, value, before);
  },
});

const padModes = {
  constant: cpp`kConstant`,
  edge: cpp`kEdge`,
  reflect: cpp`kReflect`,
  wrap: cpp`kWrap`,
} as const;
