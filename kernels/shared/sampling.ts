import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { col2im, columnsOf } from '../../src/ops/col2im.js';
import { affineGrid, gridSample } from '../../src/ops/sampling.js';
import { type Arguments, type Ends, listOf, refuseNoFloat, requireEqual } from './elements.js';

type GridSample = NodeOf<typeof gridSample>;

/** Elements along an axis that a sample is made of. */
const tapsOf = { nearest: 1, linear: 2, cubic: 4 } as const;

export const gridSampleTraits = defineTraits({
  op: gridSample,
  work: ({ inputs, outputs, attrs }) =>
    mul(4, tapsOf[attrs.mode] ** (shapeOf(inputs[0]!).length - 2), numel(shapeOf(outputs[0]!))),
});

export const refuseGridSample = (node: Ends): string | undefined =>
  refuseNoFloat(node) ??
  (shapeOf(node.inputs[0]!).length > 5 ? 'it has more than 3 spatial axes' : undefined);

export const gridSampleCheck = ({ inputs }: Pick<GridSample, 'inputs'>, k: Arguments): Cpp | false =>
  requireEqual(
    k,
    [[shapeOf(inputs[0]!)[0]!, shapeOf(inputs[1]!)[0]!]],
    'GridSample: there is not one grid for each image',
  );

const samplings = { nearest: cpp`Nearest`, linear: cpp`Linear`, cubic: cpp`Cubic` } as const;
const outsides = { zeros: cpp`Zeros`, border: cpp`Border`, reflection: cpp`Reflection` } as const;

/** An ait::Sampling and an ait::Outside. */
export const samplingText = ({ mode, outside }: GridSample['attrs']): Cpp =>
  cpp`ait::Sampling::${samplings[mode]}, ait::Outside::${outsides[outside]}`;

export const affineGridTraits = defineTraits({
  op: affineGrid,
  work: ({ outputs }) => mul(16, numel(shapeOf(outputs[0]!))),
});

export const col2imTraits = defineTraits({
  op: col2im,
  work: ({ inputs }) => mul(8, numel(shapeOf(inputs[0]!))),
});

/** The text of an array of ait::BlockAxis. */
export function blockAxes(a: NodeOf<typeof col2im>['attrs'], k: Arguments): Cpp {
  const columns = columnsOf(a);
  const axes = a.image.map((size, d) => {
    const row = [size, a.block[d]!, columns[d]!, a.dilations[d]!, a.pads[d]!, a.strides[d]!];
    return cpp`{${listOf(k, row)}}`;
  });
  return cpp`const ait::BlockAxis axes[] = {${join(axes, ', ')}};`;
}
