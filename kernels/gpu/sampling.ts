import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { col2im, columnsOf } from '../../src/ops/col2im.js';
import { affineGrid, gridSample } from '../../src/ops/sampling.js';
import * as cpu from '../cpu/image.js';
import { type Ends, flag, listOf, refuseNoFloat, requireEqual } from '../shared/elements.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { atMost, manyBlocks } from './vector-width.js';

/** The type that elements are computed in. */
export const computed = ({ inputs }: Ends, i = 0): Cpp => ctype[computeType(dtypeOf(inputs[i]!))];

const threads = 128;

export const gridSampleKernel = defineGpuKernel({
  op: gridSample,
  refuse: (node) => cpu.refuseGridSample(node) ?? refuseTypes(node),
  work: cpu.gridSampleKernel.work!,
  emit: (node, k) => {
    const { inputs, outputs, attrs: a } = node;
    const [batch, channels, ...size] = shapeOf(inputs[0]!) as readonly [Dim, Dim, ...Dim[]];
    const points = numel(shapeOf(outputs[0]!).slice(2));
    k.before(
      requireEqual(k, [[batch, shapeOf(inputs[1]!)[0]!]], 'GridSample: there is not one grid for each image'),
    );
    // Where a place is, is found out once for several channels; few places need more threads.
    const places = atMost(mul(batch, points));
    const each = places >= manyBlocks * threads * 8 ? 16 : places >= manyBlocks * threads ? 8 : 2;
    const form = cpp`${size.length}, ait::Sampling::${cpu.samplings[a.mode]}, ait::Outside::${cpu.outsides[a.outside]}, ${flag(a.alignCorners)}, ${computed(node)}`;
    const [n, c, p] = [k.arg(batch), k.arg(channels), k.arg(points)];
    k.include('ait/gpu/sampling.h');
    return {
      body: cpp`
        const int64_t size[] = {${listOf(k, size)}};
        ait::gpu::grid_sample<${form}>(${k.input(0)}, ${k.input(1)}, ${k.output()}, ${n}, ${c}, size, ${p}, ${each});
      `,
      grid: [cpp`ait::gpu::blocks(${n} * ${p}, ${threads})`, cpp`ait::gpu::blocks(${c}, ${each})`],
      threads,
    };
  },
});

export const affineGridKernel = defineGpuKernel({
  op: affineGrid,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  work: cpu.affineGridKernel.work!,
  emit: (node, k) => {
    const { inputs, outputs, attrs: a } = node;
    k.include('ait/gpu/sampling.h');
    return elementLoop(
      k,
      [shapeOf(inputs[0]!)[0]!, numel(a.size)],
      1,
      outputs,
      (i) => cpp`
        const int64_t size[] = {${listOf(k, a.size)}};
        ait::gpu::affine_grid<${a.size.length}, ${computed(node)}>(${i}, ${k.input(0)}, ${k.output()}, size, ${flag(a.alignCorners)});
      `,
    );
  },
});

export const col2imKernel = defineGpuKernel({
  op: col2im,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  work: cpu.col2imKernel.work!,
  emit: (node, k) => {
    const { inputs, outputs, attrs: a } = node;
    const columns = columnsOf(a);
    const fits = [[numel(columns), shapeOf(inputs[0]!)[2]!]] as const;
    k.before(requireEqual(k, fits, 'Col2Im: the number of columns does not fit the image'));
    const axes = a.image.map((size, d) => {
      const row = [size, a.block[d]!, columns[d]!, a.dilations[d]!, a.pads[d]!, a.strides[d]!];
      return cpp`{${listOf(k, row)}}`;
    });
    k.include('ait/gpu/sampling.h');
    return elementLoop(
      k,
      [numel(shapeOf(outputs[0]!))],
      1,
      [...inputs, ...outputs],
      (i) => cpp`
        const ait::BlockAxis axes[] = {${join(axes, ', ')}};
        ait::gpu::col2im<${computed(node)}>(${i}, ${k.input(0)}, ${k.output()}, axes);
      `,
    );
  },
});
