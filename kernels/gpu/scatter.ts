import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { type Dim, numel, type Shape } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import type { Reduction } from '../../src/ops/scatter.js';
import { denseStrides } from '../../src/ops/strides.js';
import { type Ends, movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import {
  indicesCheck,
  scatterElementsTraits,
  scatterNdCheck,
  scatterNdTraits,
  updatesCheck,
} from '../shared/select.js';
import { elementLoop, sumOf } from './element-loop.js';
import { tuplePlace } from './gather.js';
import { refuseTypes } from './pointwise.js';

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
    const { inputs, outputs } = node;
    const { axis, reduction } = node.attrs;
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
    const { inputs, outputs } = node;
    const { reduction } = node.attrs;
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
