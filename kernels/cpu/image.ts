import { cpp, number } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import {
  boxesCheck,
  maxRoiPoolCheck,
  maxRoiPoolTraits,
  nonMaxSuppressionTraits,
  regions,
  roiAlignCheck,
  roiAlignTraits,
} from '../shared/boxes.js';
import { deformCheck, deformConvTraits, deformSizes } from '../shared/deform-conv.js';
import { flag, listOf, nullPointer, refuseNoFloat } from '../shared/elements.js';
import {
  affineGridTraits,
  blockAxes,
  col2imTraits,
  gridSampleCheck,
  gridSampleTraits,
  refuseGridSample,
  samplingText,
} from '../shared/sampling.js';
import { table } from './table.js';

export const gridSampleKernel = defineKernel({
  ...gridSampleTraits,
  refuse: refuseGridSample,
  emit: (node, k) => {
    const { inputs, outputs, attrs: a } = node;
    const [batch, channels, ...size] = shapeOf(inputs[0]!) as readonly [Dim, Dim, ...Dim[]];
    const points = numel(shapeOf(outputs[0]!).slice(2));
    k.include('ait/image.h');
    return cpp`
      ${gridSampleCheck(node, k)}
      ${table(k, 'size', size)}
      ait::grid_sample<${size.length}>(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, ${listOf(k, [batch, channels])}, size, ${k.arg(points)}, ${samplingText(a)}, ${flag(a.alignCorners)});
    `;
  },
});

export const affineGridKernel = defineKernel({
  ...affineGridTraits,
  refuse: refuseNoFloat,
  emit: ({ inputs, attrs: a }, k) => {
    k.include('ait/image.h');
    return cpp`
      ${table(k, 'size', a.size)}
      ait::affine_grid<${a.size.length}>(ctx, ${k.output()}, ${k.input(0)}, ${k.arg(shapeOf(inputs[0]!)[0]!)}, size, ${flag(a.alignCorners)});
    `;
  },
});

export const col2imKernel = defineKernel({
  ...col2imTraits,
  refuse: refuseNoFloat,
  emit: ({ inputs, outputs, attrs: a }, k) => {
    const axes = blockAxes(a, k);
    const images = numel(shapeOf(outputs[0]!).slice(0, 2));
    k.include('ait/image.h');
    return cpp`
      ${axes}
      ait::col2im(ctx, ${k.output()}, ${k.input(0)}, ${k.arg(images)}, ${a.image.length}, axes, ${k.arg(shapeOf(inputs[0]!)[2]!)});
    `;
  },
});

export const nonMaxSuppressionKernel = defineKernel({
  ...nonMaxSuppressionTraits,
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    k.include('ait/image.h');
    const score = a.scored ? k.input(3) : cpp`static_cast<const float*>(nullptr)`;
    const extents = listOf(k, [...shapeOf(inputs[1]!), a.limit]);
    return cpp`
      ${boxesCheck(node, k)}
      ait::non_max_suppression(ctx, ${k.output(0)}, ${k.output(1)}, ${k.input(0)}, ${k.input(1)}, ${extents}, *${k.input(2)}, ${score}, ${flag(a.centre)});
    `;
  },
});

export const roiAlignKernel = defineKernel({
  ...roiAlignTraits,
  refuse: refuseNoFloat,
  emit: (node, k) => {
    const a = node.attrs;
    k.include('ait/image.h');
    return cpp`
      ${roiAlignCheck(node, k)}
      const ait::RoiShape shape = {${listOf(k, [...regions(node), a.samples])}, ${number(a.scale)}, ${flag(a.halfPixel)}, ${flag(a.average)}};
      ait::roi_align(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, ${k.input(2)}, shape);
    `;
  },
});

export const maxRoiPoolKernel = defineKernel({
  ...maxRoiPoolTraits,
  refuse: refuseNoFloat,
  emit: (node, k) => {
    k.include('ait/image.h');
    return cpp`
      ${maxRoiPoolCheck(node, k)}
      const ait::RoiShape shape = {${listOf(k, [...regions(node), 0])}, ${number(node.attrs.scale)}, false, false};
      ait::max_roi_pool(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, shape);
    `;
  },
});

export const deformConvKernel = defineKernel({
  ...deformConvTraits,
  refuse: refuseNoFloat,
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    k.include('ait/image.h');
    const bias = a.bias ? k.input(3) : nullPointer(inputs[0]!);
    const mask = a.mask ? k.input(inputs.length - 1) : nullPointer(inputs[0]!);
    return cpp`
      ${deformCheck(node, k)}
      const ait::DeformShape shape = {${listOf(k, deformSizes(node))}};
      ait::deform_conv(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, ${k.input(2)}, ${bias}, ${mask}, shape);
    `;
  },
});
