import { defineTraits } from '../../codegen/kernel.js';
import { numel, sameShape } from '../../src/ir/dim.js';
import { costOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, type DType } from '../../src/ir/type.js';
import { pointwise } from '../../src/ops/pointwise.js';

/** Whether elements share bytes. */
export const isPacked = (t: DType): boolean => bitsOf[t] < 8;

export const pointwiseTraits = defineTraits({
  op: pointwise,
  inPlace: ({ inputs, outputs }) => {
    const out = outputs[0]!;
    if ([...inputs, out].some((v) => isPacked(dtypeOf(v)))) return [];
    return inputs.flatMap((v, i) =>
      sameShape(shapeOf(v), shapeOf(out)) && bitsOf[dtypeOf(v)] === bitsOf[dtypeOf(out)] ? [i] : [],
    );
  },
  work: ({ attrs, outputs }) => numel([costOfExpr(attrs.expr), ...shapeOf(outputs[0]!)]),
});
