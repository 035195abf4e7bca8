import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { type Dim, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { gather, gatherElements, gatherNd } from '../../src/ops/gather.js';
import type { Reduction } from '../../src/ops/scatter.js';
import { denseStrides } from '../../src/ops/strides.js';
import { type Ends, movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import {
  gatherNdCheck,
  indicesCheck,
  scatterElementsTraits,
  scatterNdCheck,
  scatterNdTraits,
  updatesCheck,
} from '../shared/select.js';
import { carrierBytes, dividing, elementLoop, sumOf } from './element-loop.js';
import { refuseTypes } from './pointwise.js';

/** Where the tuple at `row` of indices points in a tensor, over the axes it names; `ok` says whether it is inside. */
function tuplePlace(indices: Cpp, row: Cpp, extents: Shape, strides: Shape, k: GpuBuilder): readonly Cpp[] {
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
    const {
      inputs,
      outputs,
      attrs: { axis },
    } = node;
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
    const {
      inputs,
      outputs,
      attrs: { batch },
    } = node;
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

const combine: Readonly<Record<Exclude<Reduction, 'none'>, string>> = {
  add: 'AddOf',
  mul: 'MulOf',
  max: 'MaxOf',
  min: 'MinOf',
};

const refuseScatter = (node: Ends, reduction: Reduction): string | undefined =>
  reduction === 'none' ? refusePacked(node) : refuseTypes(node);

/** The elements before the updates. */
export function copied(k: GpuBuilder, shape: Shape): Launch {
  const [x, y] = [movedInput(k, 0), movedOutput(k)];
  const copy = elementLoop(k, [numel(shape)], 1, [k.node.outputs[0]!], (i) => cpp`${y}[${i}] = ${x}[${i}];`);
  // In its own memory there is nothing to copy.
  return {
    ...copy,
    grid: [cpp`static_cast<const void*>(${k.output()}) == ${k.input(0)} ? 0 : ${copy.grid[0]!}`],
  };
}

export const scatterElementsKernel = defineGpuKernel({
  ...scatterElementsTraits,
  refuse: (node) => refuseScatter(node, node.attrs.reduction),
  emit: (node, k) => {
    const {
      inputs,
      outputs,
      attrs: { axis, reduction },
    } = node;
    const [x, indices] = inputs.map(shapeOf);
    k.before(updatesCheck(node, k));
    k.before(indicesCheck(node, k, 'ScatterElements'));
    k.include('ait/gpu/select.h');
    const strides = denseStrides(x!);
    const own = denseStrides(indices!);
    const terms = strides.map(
      (s, d) => cpp`${d === axis ? cpp`at` : cpp`static_cast<int64_t>(i${d})`} * ${k.dim(s)}`,
    );
    const fail = k.fail('ScatterElements: an index is out of range');
    const update = (j: Cpp): Cpp => cpp`
      int64_t at;
      if (!ait::gpu::place(${k.input(1)}[${j}], ${k.dim(x![axis]!)}, at)) {
        ${fail}
        return;
      }
      ${
        reduction === 'none'
          ? cpp`${movedOutput(k)}[${sumOf(terms)}] = ${movedInput(k, 2)}[${j}];`
          : cpp`
              auto* to = ${k.output()} + (${sumOf(terms)});
              ait::gpu::put(to, ait::gpu::${new Cpp(combine[reduction])}::of(ait::gpu::widen(*to), ait::gpu::widen(${k.input(2)}[${j}])));
            `
      }
    `;
    const all = [...inputs, ...outputs];
    if (reduction === 'none') return [copied(k, x!), elementLoop(k, indices!, 1, all, (i) => update(i))];
    // Updates of one column meet each other, so one thread does them in order.
    const columns = indices!.map((n, d): Dim => (d === axis ? 1 : n));
    const start = sumOf(own.map((s, d) => cpp`static_cast<int64_t>(i${d}) * ${k.dim(s)}`));
    const each = elementLoop(
      k,
      columns,
      1,
      all,
      () => cpp`
      for (int64_t j = ${start}, n = 0; n < ${k.dim(indices![axis]!)}; n++, j += ${k.dim(own[axis]!)}) {
        ${update(cpp`j`)}
      }
    `,
    );
    return [copied(k, x!), each];
  },
});

export const scatterNdKernel = defineGpuKernel({
  ...scatterNdTraits,
  refuse: (node) => refuseScatter(node, node.attrs.reduction),
  emit: (node, k) => {
    const {
      inputs,
      outputs,
      attrs: { reduction },
    } = node;
    const [x, indices] = inputs.map(shapeOf);
    const depth = indices!.at(-1) as number;
    const inner = numel(x!.slice(depth));
    const rows = numel(indices!.slice(0, -1));
    k.before(scatterNdCheck(node, k));
    k.include('ait/gpu/select.h');
    const named = x!.slice(0, depth);
    const strides = denseStrides([...named, inner]).slice(0, -1);
    const fail = k.fail('ScatterND: an index is out of range');
    const update = (row: Cpp, column: Cpp): Cpp => cpp`
      ${tuplePlace(k.input(1), row, named, strides, k)}
      if (!ok) {
        ${fail}
        return;
      }
      const int64_t from = static_cast<int64_t>(${row}) * ${k.dim(inner)} + ${column};
      ${
        reduction === 'none'
          ? cpp`${movedOutput(k)}[at + ${column}] = ${movedInput(k, 2)}[from];`
          : cpp`
              auto* to = ${k.output()} + at + ${column};
              ait::gpu::put(to, ait::gpu::${new Cpp(combine[reduction])}::of(ait::gpu::widen(*to), ait::gpu::widen(${k.input(2)}[from])));
            `
      }
    `;
    const all = [...inputs, ...outputs];
    if (reduction === 'none')
      return [copied(k, x!), elementLoop(k, [rows, inner], 1, all, () => update(cpp`i0`, cpp`i1`))];
    const each = elementLoop(
      k,
      [inner],
      1,
      all,
      () => cpp`
      for (int64_t row = 0; row < ${k.dim(rows)}; row++) {
        ${update(cpp`row`, cpp`i0`)}
      }
    `,
    );
    return [copied(k, x!), each];
  },
});
