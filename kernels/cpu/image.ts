import { type Cpp, cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { maxRoiPool, nonMaxSuppression, roiAlign } from '../../src/ops/boxes.js';
import { col2im, columnsOf } from '../../src/ops/col2im.js';
import { deformConv } from '../../src/ops/deform-conv.js';
import { affineGrid, gridSample } from '../../src/ops/sampling.js';
import { type Ends, flag, listOf, refuseNoFloat, requireEqual } from '../shared/elements.js';
import { table } from './table.js';

const nothing = (node: Ends): Cpp => cpp`static_cast<const ${ctype[dtypeOf(node.inputs[0]!)]}*>(nullptr)`;

export const samplings = {
  nearest: cpp`Nearest`,
  linear: cpp`Linear`,
  cubic: cpp`Cubic`,
} as const;
export const outsides = {
  zeros: cpp`Zeros`,
  border: cpp`Border`,
  reflection: cpp`Reflection`,
} as const;
const tapsOf = { nearest: 1, linear: 2, cubic: 4 } as const;

export const refuseGridSample = (node: Ends): string | undefined =>
  refuseNoFloat(node) ??
  (shapeOf(node.inputs[0]!).length > 5 ? 'it has more than 3 spatial axes' : undefined);

export const gridSampleKernel = defineKernel({
  op: gridSample,
  refuse: refuseGridSample,
  work: ({ inputs, outputs, attrs }) =>
    mul(4, tapsOf[attrs.mode] ** (shapeOf(inputs[0]!).length - 2), numel(shapeOf(outputs[0]!))),
  emit: ({ inputs, outputs, attrs: a }, k) => {
    const [batch, channels, ...size] = shapeOf(inputs[0]!) as readonly [Dim, Dim, ...Dim[]];
    const points = numel(shapeOf(outputs[0]!).slice(2));
    k.include('ait/image.h');
    const modes = cpp`ait::Sampling::${samplings[a.mode]}, ait::Outside::${outsides[a.outside]}`;
    return cpp`
      ${requireEqual(k, [[batch, shapeOf(inputs[1]!)[0]!]], 'GridSample: there is not one grid for each image')}
      ${table(k, 'size', size)}
      ait::grid_sample<${size.length}>(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, ${listOf(k, [batch, channels])}, size, ${k.arg(points)}, ${modes}, ${flag(a.alignCorners)});
    `;
  },
});

export const affineGridKernel = defineKernel({
  op: affineGrid,
  refuse: refuseNoFloat,
  work: ({ outputs }) => mul(16, numel(shapeOf(outputs[0]!))),
  emit: ({ inputs, attrs: a }, k) => {
    k.include('ait/image.h');
    return cpp`
      ${table(k, 'size', a.size)}
      ait::affine_grid<${a.size.length}>(ctx, ${k.output()}, ${k.input(0)}, ${k.arg(shapeOf(inputs[0]!)[0]!)}, size, ${flag(a.alignCorners)});
    `;
  },
});

export const col2imKernel = defineKernel({
  op: col2im,
  refuse: refuseNoFloat,
  work: ({ inputs }) => mul(8, numel(shapeOf(inputs[0]!))),
  emit: ({ inputs, outputs, attrs: a }, k) => {
    const columns = columnsOf(a);
    const axes = a.image.map((size, d) => {
      const row = [size, a.block[d]!, columns[d]!, a.dilations[d]!, a.pads[d]!, a.strides[d]!];
      return cpp`{${listOf(k, row)}}`;
    });
    const images = numel(shapeOf(outputs[0]!).slice(0, 2));
    k.include('ait/image.h');
    return cpp`
      const ait::BlockAxis axes[] = {${join(axes, ', ')}};
      ait::col2im(ctx, ${k.output()}, ${k.input(0)}, ${k.arg(images)}, ${axes.length}, axes, ${k.arg(shapeOf(inputs[0]!)[2]!)});
    `;
  },
});

export const nonMaxSuppressionKernel = defineKernel({
  op: nonMaxSuppression,
  work: ({ inputs }) => mul(100, numel(shapeOf(inputs[1]!))),
  emit: ({ inputs, attrs: a }, k) => {
    k.include('ait/image.h');
    const score = a.scored ? k.input(3) : cpp`static_cast<const float*>(nullptr)`;
    const extents = listOf(k, [...shapeOf(inputs[1]!), a.limit]);
    const [boxes, scores] = inputs.map(shapeOf);
    const fits = [
      [boxes![0]!, scores![0]!],
      [boxes![1]!, scores![2]!],
      [boxes![2]!, 4],
    ] as const;
    return cpp`
      ${requireEqual(k, fits, 'NonMaxSuppression: boxes and scores do not fit')}
      ait::non_max_suppression(ctx, ${k.output(0)}, ${k.output(1)}, ${k.input(0)}, ${k.input(1)}, ${extents}, *${k.input(2)}, ${score}, ${flag(a.centre)});
    `;
  },
});

/** rois, channels, height, width, out_height, out_width, images */
export function regions({ inputs, outputs }: Ends): Shape {
  const [images, channels, height, width] = shapeOf(inputs[0]!) as readonly [Dim, Dim, Dim, Dim];
  const [rois, , outHeight, outWidth] = shapeOf(outputs[0]!) as readonly [Dim, Dim, Dim, Dim];
  return [rois, channels, height, width, outHeight, outWidth, images];
}

export const roiAlignKernel = defineKernel({
  op: roiAlign,
  refuse: refuseNoFloat,
  work: ({ outputs }) => mul(64, numel(shapeOf(outputs[0]!))),
  emit: (node, k) => {
    const a = node.attrs;
    const [rois, images] = node.inputs.slice(1).map(shapeOf);
    const fits = [
      [rois![0]!, images![0]!],
      [rois![1]!, 4],
    ] as const;
    k.include('ait/image.h');
    return cpp`
      ${requireEqual(k, fits, 'RoiAlign: the regions do not fit')}
      const ait::RoiShape shape = {${listOf(k, [...regions(node), a.samples])}, ${number(a.scale)}, ${flag(a.halfPixel)}, ${flag(a.average)}};
      ait::roi_align(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, ${k.input(2)}, shape);
    `;
  },
});

export const maxRoiPoolKernel = defineKernel({
  op: maxRoiPool,
  refuse: refuseNoFloat,
  work: ({ outputs }) => mul(64, numel(shapeOf(outputs[0]!))),
  emit: (node, k) => {
    k.include('ait/image.h');
    return cpp`
      ${requireEqual(k, [[shapeOf(node.inputs[1]!)[1]!, 5]], 'MaxRoiPool: the regions do not fit')}
      const ait::RoiShape shape = {${listOf(k, [...regions(node), 0])}, ${number(node.attrs.scale)}, false, false};
      ait::max_roi_pool(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, shape);
    `;
  },
});

type DeformConv = Parameters<typeof deformConv.toOnnx>[0];

/** The fields of an ait::DeformShape. */
export function deformSizes({ inputs, outputs, attrs: a }: DeformConv): Shape {
  const [x, w] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const sizes = [...x, w[0]!, ...w.slice(2), ...shapeOf(outputs[0]!).slice(2)];
  return [...sizes, a.groups, a.offsetGroups, ...a.strides, ...a.dilations, ...a.pads.slice(0, 2)];
}

/** Fails a convolution whose tensors turn out not to fit. */
export function deformCheck({ inputs, outputs, attrs: a }: DeformConv, arg: (d: Dim) => Cpp): Cpp | false {
  const [x, w] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const [offset, out] = [shapeOf(inputs[2]!), shapeOf(outputs[0]!)];
  const taps = numel(w.slice(2));
  const fits: (readonly [Dim, Dim])[] = [
    [mul(w[1]!, a.groups), x[1]!],
    [offset[0]!, x[0]!],
    [offset[1]!, mul(2 * a.offsetGroups, taps)],
  ];
  if (a.bias) fits.push([shapeOf(inputs[3]!)[0]!, w[0]!]);
  if (a.mask)
    shapeOf(inputs.at(-1)!).forEach((n, d) => {
      fits.push([n, [x[0]!, mul(a.offsetGroups, taps), out[2]!, out[3]!][d]!]);
    });
  return requireEqual({ arg }, fits, 'DeformConv: the tensors do not fit each other');
}

export const deformConvKernel = defineKernel({
  op: deformConv,
  refuse: refuseNoFloat,
  work: ({ inputs, outputs }) => mul(2, numel(shapeOf(outputs[0]!)), numel(shapeOf(inputs[1]!).slice(1))),
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    k.include('ait/image.h');
    const bias = a.bias ? k.input(3) : nothing(node);
    const mask = a.mask ? k.input(inputs.length - 1) : nothing(node);
    return cpp`
      ${deformCheck(node, (d) => k.arg(d))}
      const ait::DeformShape shape = {${listOf(k, deformSizes(node))}};
      ait::deform_conv(ctx, ${k.output()}, ${k.input(0)}, ${k.input(1)}, ${k.input(2)}, ${bias}, ${mask}, shape);
    `;
  },
});
