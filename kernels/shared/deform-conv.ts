import type { Cpp } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { deformConv } from '../../src/ops/deform-conv.js';
import { type Arguments, requireEqual } from './elements.js';

type DeformConv = NodeOf<typeof deformConv>;

export const deformConvTraits = defineTraits({
  op: deformConv,
  work: ({ inputs, outputs }) => mul(2, numel(shapeOf(outputs[0]!)), numel(shapeOf(inputs[1]!).slice(1))),
});

/** The fields of an ait::DeformShape. */
export function deformSizes({ inputs, outputs, attrs: a }: DeformConv): Shape {
  const [x, w] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const sizes = [...x, w[0]!, ...w.slice(2), ...shapeOf(outputs[0]!).slice(2)];
  return [...sizes, a.groups, a.offsetGroups, ...a.strides, ...a.dilations, ...a.pads.slice(0, 2)];
}

/** Fails a convolution whose tensors turn out not to fit. */
export function deformCheck({ inputs, outputs, attrs: a }: DeformConv, k: Arguments): Cpp | false {
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
  return requireEqual(k, fits, 'DeformConv: the tensors do not fit each other');
}
