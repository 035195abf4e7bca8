import { defineTraits, type KernelTraits } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import { type Attrs, type Op, shapeOf } from '../../src/ir/graph.js';
import { localResponseNorm } from '../../src/ops/lp-norm.js';
import { softmax } from '../../src/ops/softmax.js';

/** A normalisation that may write over what it reads. */
export const normTraits = <A extends Attrs>(op: Op<A>): KernelTraits<A> => ({
  op,
  work: ({ inputs }) => mul(6, numel(shapeOf(inputs[0]!))),
  inPlace: () => [0],
});

export const localResponseNormTraits = defineTraits({
  op: localResponseNorm,
  work: ({ inputs, attrs }) => mul(attrs.size + 4, numel(shapeOf(inputs[0]!))),
});

export const softmaxTraits = defineTraits({
  op: softmax,
  inPlace: ({ attrs }) => (attrs.form === 'hardmax' ? [] : [0]),
  work: ({ inputs }) => mul(8, numel(shapeOf(inputs[0]!))),
});
