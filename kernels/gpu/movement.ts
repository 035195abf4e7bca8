import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { add, type Dim, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { pad } from '../../src/ops/pad.js';
import { stridedView } from '../../src/ops/strided-view.js';
import { carrier, type Ends, movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import { mergeAxes } from '../shared/loop.js';
import {
  broadcastCheck,
  concatTraits,
  expandTraits,
  insideCheck,
  joinCheck,
  sliceTraits,
  transposeTraits,
} from '../shared/movement.js';
import { carrierBytes, dividing, elementLoop, sumOf } from './element-loop.js';
import { indexText, indexType } from './index-text.js';

const threads = 256;

/** Copies what the node's strided view of its input shows. */
function copy(k: GpuBuilder): Launch {
  const { inputs, outputs } = k.node;
  const view = stridedView(k.node)!;
  const out = shapeOf(outputs[0]!);
  const nest = mergeAxes(out, [view.strides]);
  const strides = nest.strides[0]!;
  const tile = tileOf(nest.extents, strides);
  if (tile !== undefined) return transposed(k, nest.extents, strides, tile, view.offset);
  // Neighbours that stay neighbours move together.
  const whole = strides.at(-1) === 1;
  const widest = whole ? dividing([nest.extents.at(-1)!, ...strides.slice(0, -1), view.offset]) : 1;
  const width = Math.min(widest, 16 / carrierBytes(dtypeOf(inputs[0]!)));
  const last = nest.extents.length - 1;
  k.include('ait/gpu/rows.h');
  return elementLoop(k, nest.extents, width, [...inputs, ...outputs], (i, type) => {
    const terms = strides.flatMap((s, d) => {
      if (s === 0) return [];
      return [d === last && whole ? cpp`i${d} * ${width}` : cpp`i${d} * static_cast<${type}>(${k.dim(s)})`];
    });
    const place = sumOf([...offsetTerm(k, view.offset, type), ...terms]);
    return cpp`ait::gpu::move<${width}>(${movedOutput(k)} + ${i} * ${width}, ${movedInput(k, 0)} + (${place}));`;
  });
}

/** Where a view begins. It is summed with the steps, in their unsigned type: backward steps wrap around unless it is. */
const offsetTerm = (k: GpuBuilder, offset: Dim, type: Cpp): readonly Cpp[] =>
  offset === 0 ? [] : [cpp`static_cast<${type}>(${k.dim(offset)})`];

/** The axis whose neighbours lie together in the input, where it is not the last. */
function tileOf(extents: Shape, strides: Shape): number | undefined {
  const last = extents.length - 1;
  const at = strides.indexOf(1);
  if (at < 0 || at === last || strides[last] === 0) return undefined;
  const small = (d: Dim): boolean => typeof d === 'number' && d < 8;
  return small(extents[at]!) && small(extents[last]!) ? undefined : at;
}

/** Tiles of 32 × 32 through shared memory: both reads and writes run along neighbours. */
function transposed(k: GpuBuilder, extents: Shape, strides: Shape, axis: number, offset: Dim): Launch {
  const last = extents.length - 1;
  const rest = extents.map((_, d) => d).filter((d) => d !== axis && d !== last);
  const type = indexType(shapeOf(k.node.outputs[0]!), ...k.node.inputs.map(shapeOf));
  const [rows, columns] = [k.dim(extents[axis]!), k.dim(extents[last]!)];
  const outer = rest.map((d) => k.dim(extents[d]!));
  const dense = extents.map((_, d) => numel(extents.slice(d + 1)));
  const places = (steps: Shape): readonly Cpp[] =>
    rest.map((d, i) => cpp`i${i} * static_cast<${type}>(${k.dim(steps[d]!)})`);
  const from = sumOf([...offsetTerm(k, offset, type), ...places(strides)]);
  const T = carrier(dtypeOf(k.node.outputs[0]!));
  k.include('ait/gpu/transpose.h');
  return {
    body: cpp`
      const ${type} i = ait::gpu::block_z() * static_cast<${type}>(65535) + ait::gpu::block_y();
      if (i >= ${outer.length === 0 ? cpp`1` : join(outer, ' * ')}) return;
      ${indexText(outer, type)}
      ait::gpu::transpose_tile<${T}>(${movedInput(k, 0)} + (${from}), ${k.dim(strides[last]!)}, ${movedOutput(k)} + (${sumOf(places(dense))}), ${k.dim(dense[axis]!)}, ${rows}, ${columns});
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
  ...transposeTraits,
  refuse: refuseOpen,
  emit: (_, k) => copy(k),
});

export const sliceKernel = defineGpuKernel({
  ...sliceTraits,
  refuse: refuseOpen,
  emit: (node, k) => {
    k.before(insideCheck(node, k));
    return copy(k);
  },
});

export const expandKernel = defineGpuKernel({
  ...expandTraits,
  refuse: refuseOpen,
  emit: (node, k) => {
    k.before(broadcastCheck(node, k));
    return copy(k);
  },
});

export const concatKernel = defineGpuKernel({
  ...concatTraits,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, outputs } = node;
    const { axis } = node.attrs;
    const y = shapeOf(outputs[0]!);
    k.before(joinCheck(node, k));
    const whole = numel(y.slice(axis));
    const rows = inputs.map((v) => numel(shapeOf(v).slice(axis)));
    const width = Math.min(16 / carrierBytes(dtypeOf(inputs[0]!)), dividing(rows));
    k.include('ait/gpu/rows.h');
    return elementLoop(k, [numel(y.slice(0, axis)), whole], width, outputs, (i, type) => {
      let offset: Dim = 0;
      const parts = inputs.map((_, p) => {
        const row = rows[p]!;
        const [begin, end] = [offset, add(offset, row)];
        offset = end;
        const from = cpp`${movedInput(k, p)} + i0 * static_cast<${type}>(${k.dim(row)}) + (i1 * ${width} - static_cast<${type}>(${k.dim(begin)}))`;
        const move = cpp`ait::gpu::move<${width}>(${movedOutput(k)} + ${i} * ${width}, ${from});`;
        return p === inputs.length - 1
          ? move
          : cpp`if (i1 * ${width} < static_cast<${type}>(${k.dim(end)})) return ${move}`;
      });
      return cpp`${parts}`;
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
    const T = carrier(dtypeOf(inputs[0]!));
    const fill = inputs.length > 1 ? cpp`*${movedInput(k, 1)}` : cpp`${T}{}`;
    const mode = padModes[attrs.mode];
    const inside = shape.map((_, d) => cpp`p${d} >= 0`);
    const place = sumOf(shape.map((_, d) => cpp`p${d} * ${k.dim(strides[d]!)}`));
    k.include('ait/gpu/rows.h');
    return elementLoop(
      k,
      out,
      1,
      outputs,
      (i) => cpp`
        ${shape.map((n, d) => cpp`const int64_t p${d} = ait::gpu::padded<ait::gpu::Pad::${mode}>(static_cast<int64_t>(i${d}) - ${k.dim(attrs.before[d]!)}, ${k.dim(n)});`)}
        ${movedOutput(k)}[${i}] = ${inside.length === 0 ? cpp`true` : join(inside, ' && ')} ? ${movedInput(k, 0)}[${place}] : ${fill};
      `,
    );
  },
});

const padModes = {
  constant: cpp`kConstant`,
  edge: cpp`kEdge`,
  reflect: cpp`kReflect`,
  wrap: cpp`kWrap`,
} as const;
