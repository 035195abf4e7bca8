import { type Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder } from '../../codegen/gpu/builder.js';
import { numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { gather, gatherElements, gatherNd } from '../../src/ops/gather.js';
import { denseStrides } from '../../src/ops/strides.js';
import { movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import { gatherNdCheck, indicesCheck } from '../shared/select.js';
import { carrierBytes, dividing, elementLoop, sumOf } from './element-loop.js';

/** Where the tuple at `row` of indices points in a tensor, over the axes it names; `ok` says whether it is inside. */
export function tuplePlace(
  indices: Cpp,
  row: Cpp,
  extents: Shape,
  strides: Shape,
  k: GpuBuilder,
): readonly Cpp[] {
  return [
    cpp`bool ok = true;`,
    cpp`int64_t at = 0;`,
    ...extents.flatMap((n, d) => [
      cpp`int64_t at${d};`,
      cpp`ok &= ait::gpu::place(${indices}[(${row}) * ${extents.length} + ${d}], ${k.dim(n)}, at${d});`,
      cpp`at += at${d} * ${k.dim(strides[d]!)};`,
    ]),
  ];
}

export const gatherKernel = defineGpuKernel({
  op: gather,
  refuse: refusePacked,
  emit: ({ inputs, outputs, attrs: { axis } }, k) => {
    const [x, indices] = inputs.map(shapeOf);
    const inner = numel(x!.slice(axis + 1));
    const width = Math.min(16 / carrierBytes(dtypeOf(inputs[0]!)), dividing([inner]));
    const n = k.dim(x![axis]!);
    k.include('ait/gpu/select.h');
    return elementLoop(
      k,
      [numel(x!.slice(0, axis)), numel(indices!), inner],
      width,
      [...inputs, ...outputs],
      (i) => cpp`
      int64_t at;
      if (!ait::gpu::place(${k.input(1)}[i1], ${n}, at)) {
        ${k.fail('Gather: an index is out of range')}
        return;
      }
      ait::gpu::move<${width}>(${movedOutput(k)} + ${i} * ${width}, ${movedInput(k, 0)} + (static_cast<int64_t>(i0) * ${n} + at) * ${k.dim(inner)} + i2 * ${width});
    `,
    );
  },
});

export const gatherElementsKernel = defineGpuKernel({
  op: gatherElements,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, outputs } = node;
    const { axis } = node.attrs;
    const [x, indices] = inputs.map(shapeOf);
    k.before(indicesCheck(node, k, 'GatherElements'));
    const strides = denseStrides(x!);
    const terms = strides.map(
      (s, d) => cpp`${d === axis ? cpp`at` : cpp`static_cast<int64_t>(i${d})`} * ${k.dim(s)}`,
    );
    k.include('ait/gpu/select.h');
    return elementLoop(
      k,
      indices!,
      1,
      [...inputs, ...outputs],
      (i) => cpp`
      int64_t at;
      if (!ait::gpu::place(${k.input(1)}[${i}], ${k.dim(x![axis]!)}, at)) {
        ${k.fail('GatherElements: an index is out of range')}
        return;
      }
      ${movedOutput(k)}[${i}] = ${movedInput(k, 0)}[${sumOf(terms)}];
    `,
    );
  },
});

export const gatherNdKernel = defineGpuKernel({
  op: gatherNd,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, outputs } = node;
    const { batch } = node.attrs;
    const [x, indices] = inputs.map(shapeOf);
    const depth = indices!.at(-1) as number;
    const named = x!.slice(batch, batch + depth);
    const inner = numel(x!.slice(batch + depth));
    const count = numel(indices!.slice(batch, -1));
    k.before(gatherNdCheck(node, k));
    const strides = denseStrides([...named, inner]).slice(0, -1);
    k.include('ait/gpu/select.h');
    return elementLoop(
      k,
      [numel(x!.slice(0, batch)), count, inner],
      1,
      [...inputs, ...outputs],
      (i) => cpp`
      ${tuplePlace(k.input(1), cpp`static_cast<int64_t>(i0) * ${k.dim(count)} + i1`, named, strides, k)}
      if (!ok) {
        ${k.fail('GatherND: an index is out of range')}
        return;
      }
      ${movedOutput(k)}[${i}] = ${movedInput(k, 0)}[static_cast<int64_t>(i0) * ${k.dim(numel(x!.slice(batch)))} + at + i2];
    `,
    );
  },
});
