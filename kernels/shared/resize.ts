import { Cpp } from '../../codegen/cpp.js';
import { defineTraits } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { type ResizeAttrs, resize } from '../../src/ops/resize.js';
import type { Ends } from './elements.js';

const mostAxes = 8;

export const resizeTraits = defineTraits({
  op: resize,
  work: ({ outputs, attrs }) => mul(attrs.mode === 'nearest' ? 2 : 16, numel(shapeOf(outputs[0]!))),
});

export const refuseManyAxes = ({ inputs }: Pick<Ends, 'inputs'>): string | undefined =>
  shapeOf(inputs[0]!).length > mostAxes ? `it has more than ${mostAxes} axes` : undefined;

/** A mode's name in the headers. */
export const pascal = (s: string): Cpp =>
  new Cpp(
    s
      .split('_')
      .map((w) => (w === 'nn' ? 'NN' : w[0]!.toUpperCase() + w.slice(1)))
      .join(''),
  );

export const coordinates = (c: ResizeAttrs['coordinates']): Cpp =>
  c === 'tf_half_pixel_for_nn' ? new Cpp('TfHalfPixelForNN') : pascal(c);
