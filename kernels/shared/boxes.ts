import type { Cpp } from '../../codegen/cpp.js';
import { defineTraits } from '../../codegen/kernel.js';
import { type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { maxRoiPool, nonMaxSuppression, roiAlign } from '../../src/ops/boxes.js';
import { type Arguments, type Ends, requireEqual } from './elements.js';

export const nonMaxSuppressionTraits = defineTraits({
  op: nonMaxSuppression,
  work: ({ inputs }) => mul(100, numel(shapeOf(inputs[1]!))),
});

/** Fails where boxes and their scores turn out not to fit. */
export function boxesCheck({ inputs }: Pick<Ends, 'inputs'>, k: Arguments): Cpp | false {
  const [boxes, scores] = inputs.map(shapeOf);
  const fits = [
    [boxes![0]!, scores![0]!],
    [boxes![1]!, scores![2]!],
    [boxes![2]!, 4],
  ] as const;
  return requireEqual(k, fits, 'NonMaxSuppression: boxes and scores do not fit');
}

/** rois, channels, height, width, out_height, out_width, images */
export function regions({ inputs, outputs }: Ends): Shape {
  const [images, channels, height, width] = shapeOf(inputs[0]!) as readonly [Dim, Dim, Dim, Dim];
  const [rois, , outHeight, outWidth] = shapeOf(outputs[0]!) as readonly [Dim, Dim, Dim, Dim];
  return [rois, channels, height, width, outHeight, outWidth, images];
}

export const roiAlignTraits = defineTraits({
  op: roiAlign,
  work: ({ outputs }) => mul(64, numel(shapeOf(outputs[0]!))),
});

export function roiAlignCheck({ inputs }: Pick<Ends, 'inputs'>, k: Arguments): Cpp | false {
  const [rois, images] = inputs.slice(1).map(shapeOf);
  const fits = [
    [rois![0]!, images![0]!],
    [rois![1]!, 4],
  ] as const;
  return requireEqual(k, fits, 'RoiAlign: the regions do not fit');
}

export const maxRoiPoolTraits = defineTraits({
  op: maxRoiPool,
  work: ({ outputs }) => mul(64, numel(shapeOf(outputs[0]!))),
});

export const maxRoiPoolCheck = ({ inputs }: Pick<Ends, 'inputs'>, k: Arguments): Cpp | false =>
  requireEqual(k, [[shapeOf(inputs[1]!)[1]!, 5]], 'MaxRoiPool: the regions do not fit');
