import { cpp, ctype, number } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { type Dim, floordiv, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import {
  maxRoiPoolCheck,
  maxRoiPoolTraits,
  regions,
  roiAlignCheck,
  roiAlignTraits,
} from '../shared/boxes.js';
import { flag, listOf, refuseNoFloat } from '../shared/elements.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { computed } from './sampling.js';
import { atMost, isMultiple, manyBlocks } from './vector-width.js';

/** Channels that a thread computes: where samples lie takes longer than to read them. */
const eachOf = (channels: Dim, bins: Dim): number =>
  [4, 2].find((n) => isMultiple(channels, n) && atMost(bins) >= n * manyBlocks * 256) ?? 1;

export const roiAlignKernel = defineGpuKernel({
  ...roiAlignTraits,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    k.before(roiAlignCheck(node, k));
    const [n, channels, height, width] = shapeOf(inputs[0]!) as readonly [Dim, Dim, Dim, Dim];
    const out = shapeOf(node.outputs[0]!) as readonly [Dim, Dim, Dim, Dim];
    const each = eachOf(channels, numel(out));
    const shape = cpp`${listOf(k, [...regions(node), a.samples])}, ${number(a.scale)}, ${flag(a.halfPixel)}, ${flag(a.average)}`;
    const F = computed(node);
    const plane = k.dim(mul(out[2], out[3]));
    k.include('ait/gpu/sampling.h');
    return elementLoop(
      k,
      [out[0], floordiv(channels, each), out[2], out[3]],
      1,
      [...inputs, ...node.outputs],
      (_, type) => cpp`
        const auto image = static_cast<int64_t>(${k.input(2)}[i0]);
        if (image < 0 || image >= ${k.dim(n)}) {
          ${k.fail('RoiAlign: a region names an image that does not exist')}
          return;
        }
        const ait::RoiShape shape = {${shape}};
        const auto* planes = ${k.input(0)} + (image * ${k.dim(channels)} + i1 * ${each}) * ${k.dim(mul(height, width))};
        ${F} result[${each}];
        ait::gpu::roi_align<${flag(a.average)}, ${each}>(planes, ${k.input(1)} + i0 * 4, static_cast<int>(i2), static_cast<int>(i3), shape, result);
        auto* to = ${k.output()} + (i0 * static_cast<${type}>(${k.dim(channels)}) + i1 * ${each}) * static_cast<${type}>(${plane}) + i2 * static_cast<${type}>(${k.dim(out[3])}) + i3;
        AIT_UNROLL
        for (int c = 0; c < ${each}; c++) to[c * static_cast<${type}>(${plane})] = ait::gpu::stored<${ctype[dtypeOf(node.outputs[0]!)]}>(result[c]);
      `,
    );
  },
});

export const maxRoiPoolKernel = defineGpuKernel({
  ...maxRoiPoolTraits,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    k.before(maxRoiPoolCheck(node, k));
    const plane = k.dim(numel(shapeOf(inputs[0]!).slice(2)));
    const shape = cpp`${listOf(k, [...regions(node), 0])}, ${number(a.scale)}, false, false`;
    k.include('ait/gpu/sampling.h');
    return elementLoop(
      k,
      shapeOf(node.outputs[0]!),
      1,
      [...inputs, ...node.outputs],
      (i) => cpp`
        const ait::RoiShape shape = {${shape}};
        const auto result = ait::gpu::max_roi_pool<${computed(node)}>(${k.input(0)} + i1 * ${plane}, ${k.input(1)} + i0 * 5, i2, i3, shape);
        ${k.output()}[${i}] = ait::gpu::stored<${ctype[dtypeOf(node.outputs[0]!)]}>(result);
      `,
    );
  },
});
