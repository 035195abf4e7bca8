import { Cpp, cpp, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { layerNorm, rmsNorm } from '../../src/ops/norm.js';
import { normTraits } from '../shared/norm.js';
import { withCopies } from './aligned.js';
import { read, readAligned, refuseNorm, write, writeAligned } from './norm-operands.js';
import { rowGroups } from './row-groups.js';
import { vectorWidth } from './vector-width.js';

export const layerNormKernel = defineGpuKernel({
  ...normTraits(layerNorm),
  refuse: refuseNorm,
  emit: ({ attrs: { axis, epsilon, stats } }, k) => {
    const keep = stats
      ? cpp`ait::gpu::KeepStatistics{${k.output(1)}, ${k.output(2)}}`
      : cpp`ait::gpu::NoStatistics{}`;
    return rowLaunches(true, axis, epsilon, 2, keep, k);
  },
});

export const rmsNormKernel = defineGpuKernel({
  ...normTraits(rmsNorm),
  refuse: refuseNorm,
  emit: ({ attrs: { axis, epsilon } }, k) =>
    rowLaunches(false, axis, epsilon, 1, cpp`ait::gpu::NoStatistics{}`, k),
});

function rowLaunches(
  centre: boolean,
  axis: number,
  epsilon: number,
  parameters: 1 | 2,
  keep: Cpp,
  k: GpuBuilder,
): readonly Launch[] {
  k.include('ait/gpu/norm.h');
  const x = k.node.inputs[0]!;
  const shape = shapeOf(x);
  const length = numel(shape.slice(axis));
  const [rows, n] = [k.arg(numel(shape.slice(0, axis))), k.arg(length)];
  const types = [dtypeOf(x)];
  const held = rowGroups(types, numel(shape.slice(0, axis)), length, k.target);
  const form = join(
    [
      String(centre),
      ...(held ? [held.group, held.items, held.vector] : [longRow, vectorWidth(types, length)]),
    ].map((s) => new Cpp(String(s))),
    ', ',
  );
  const of = (get: (k: GpuBuilder, i: number) => Cpp): readonly Cpp[] => [
    get(k, 0),
    get(k, 1),
    parameters === 2 ? get(k, 2) : cpp`ait::gpu::Nothing{}`,
  ];
  if (!held)
    return [
      {
        body: cpp`ait::gpu::norm_long_rows<${form}>(${n}, ${k.number(epsilon)}, ${join([...of(read), write(k), keep], ', ')});`,
        grid: [rows],
        threads: longRow,
      },
    ];
  return withCopies(k, [
    {
      body: cpp`ait::gpu::norm_rows<${form}>(${rows}, static_cast<int>(${n}), ${k.number(epsilon)}, ${join([...of(readAligned), writeAligned(k), keep], ', ')});`,
      grid: [cpp`ait::gpu::blocks(${rows}, ${held.rows})`],
      threads: held.threads,
    },
  ]);
}

/** Threads that share a row which they do not hold. */
const longRow = 1024;
