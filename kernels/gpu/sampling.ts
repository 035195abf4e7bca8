import { type Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { columnsOf } from '../../src/ops/col2im.js';
import { type Ends, flag, listOf, refuseNoFloat, requireEqual } from '../shared/elements.js';
import {
  affineGridTraits,
  blockAxes,
  col2imTraits,
  gridSampleCheck,
  gridSampleTraits,
  refuseGridSample,
  samplingText,
} from '../shared/sampling.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { atMost, manyBlocks } from './vector-width.js';

/** The type that elements are computed in. */
export const computed = ({ inputs }: Ends, i = 0): Cpp => ctype[computeType(dtypeOf(inputs[i]!))];

const threads = 128;

export const gridSampleKernel = defineGpuKernel({
  ...gridSampleTraits,
  refuse: (node) => refuseGridSample(node) ?? refuseTypes(node),
  emit: (node, k) => {
    const { inputs, outputs, attrs: a } = node;
    const [batch, channels, ...size] = shapeOf(inputs[0]!) as readonly [Dim, Dim, ...Dim[]];
    const points = numel(shapeOf(outputs[0]!).slice(2));
    k.before(gridSampleCheck(node, k));
    // Where a place is, is found out once for several channels; few places need more threads.
    const places = atMost(mul(batch, points));
    const each = places >= manyBlocks * threads * 8 ? 16 : places >= manyBlocks * threads ? 8 : 2;
    const form = cpp`${size.length}, ${samplingText(a)}, ${flag(a.alignCorners)}, ${computed(node)}`;
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
  ...affineGridTraits,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
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
  ...col2imTraits,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  emit: (node, k) => {
    const { inputs, outputs, attrs: a } = node;
    const fits = [[numel(columnsOf(a)), shapeOf(inputs[0]!)[2]!]] as const;
    k.before(requireEqual(k, fits, 'Col2Im: the number of columns does not fit the image'));
    const axes = blockAxes(a, k);
    k.include('ait/gpu/sampling.h');
    return elementLoop(
      k,
      [numel(shapeOf(outputs[0]!))],
      1,
      [...inputs, ...outputs],
      (i) => cpp`
        ${axes}
        ait::gpu::col2im<${computed(node)}>(${i}, ${k.input(0)}, ${k.output()}, axes);
      `,
    );
  },
});
