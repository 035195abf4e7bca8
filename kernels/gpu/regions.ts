import { type Cpp, cpp, ctype, number } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { maxRoiPool, roiAlign } from '../../src/ops/boxes.js';
import { type Ends, flag, requireEqual } from '../cpu/elements.js';
import * as cpu from '../cpu/image.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { computed, listOf } from './sampling.js';

/** One thread for each result, with the indices i0 (region), i1 (channel), i2 and i3 (bin). */
function eachBin(node: Ends, k: GpuBuilder, shape: Cpp, body: Cpp) {
  const { inputs, outputs } = node;
  k.include('ait/gpu/sampling.h');
  return elementLoop(
    k,
    shapeOf(outputs[0]!),
    1,
    [...inputs, ...outputs],
    (i) => cpp`
      const ait::RoiShape shape = {${shape}};
      ${body}
      ${k.output()}[${i}] = ait::gpu::stored<${ctype[dtypeOf(outputs[0]!)]}>(result);
    `,
  );
}

export const roiAlignKernel = defineGpuKernel({
  op: roiAlign,
  refuse: (node) => cpu.refuseNoFloat(node) ?? refuseTypes(node),
  work: cpu.roiAlignKernel.work!,
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    const [rois, images] = inputs.slice(1).map(shapeOf);
    const fits = [
      [rois![0]!, images![0]!],
      [rois![1]!, 4],
    ] as const;
    k.before(requireEqual(k, fits, 'RoiAlign: the regions do not fit'));
    const [count, channels, height, width] = shapeOf(inputs[0]!).map((d) => k.dim(d));
    const shape = cpp`${listOf(k, [...cpu.regions(node), a.samples])}, ${number(a.scale)}, ${flag(a.halfPixel)}, ${flag(a.average)}`;
    return eachBin(
      node,
      k,
      shape,
      cpp`
        const auto image = static_cast<int64_t>(${k.input(2)}[i0]);
        if (image < 0 || image >= ${count!}) {
          ${k.fail('RoiAlign: a region names an image that does not exist')}
          return;
        }
        const auto* plane = ${k.input(0)} + (image * ${channels!} + i1) * (${height!} * ${width!});
        const auto result = ait::gpu::roi_align<${flag(a.average)}, ${computed(node)}>(plane, ${k.input(1)} + i0 * 4, static_cast<int>(i2), static_cast<int>(i3), shape);
      `,
    );
  },
});

export const maxRoiPoolKernel = defineGpuKernel({
  op: maxRoiPool,
  refuse: (node) => cpu.refuseNoFloat(node) ?? refuseTypes(node),
  work: cpu.maxRoiPoolKernel.work!,
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    k.before(requireEqual(k, [[shapeOf(inputs[1]!)[1]!, 5]], 'MaxRoiPool: the regions do not fit'));
    const plane = k.dim(numel(shapeOf(inputs[0]!).slice(2)));
    const shape = cpp`${listOf(k, [...cpu.regions(node), 0])}, ${number(a.scale)}, false, false`;
    return eachBin(
      node,
      k,
      shape,
      cpp`const auto result = ait::gpu::max_roi_pool<${computed(node)}>(${k.input(0)} + i1 * ${plane}, ${k.input(1)} + i0 * 5, i2, i3, shape);`,
    );
  },
});
