import { type Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineTraits } from '../../codegen/kernel.js';
import { add, type Dim, mul } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { dynamicQuantizeLstm } from '../../src/ops/dynamic-quantize-lstm.js';
import {
  directionsOf,
  gatesOf,
  inputIndex,
  type RecurrentAttrs,
  recurrent,
  stepsAndBatch,
} from '../../src/ops/recurrent.js';

export type Recurrent = Node<RecurrentAttrs>;

const work = ({ inputs, attrs }: Recurrent): Dim => {
  const x = shapeOf(inputs[0]!);
  const [steps, batch] = stepsAndBatch(x, attrs);
  const rows = gatesOf[attrs.cell] * attrs.hidden * directionsOf(attrs);
  return mul(2, rows, steps, batch, add(x[2]!, attrs.hidden));
};

export const recurrentTraits = defineTraits({ op: recurrent, work });
export const dynamicQuantizeLstmTraits = defineTraits({ op: dynamicQuantizeLstm, work });

export const refuseLengths = ({ inputs, attrs }: Recurrent): string | undefined => {
  const lengths = inputIndex(attrs, 'lengths');
  return lengths !== undefined && !/^i(32|64)$/.test(dtypeOf(inputs[lengths]!))
    ? 'the lengths are no integers'
    : undefined;
};

/** The type of the lengths, or any where there are none. */
export const lengthType = ({ inputs, attrs }: Recurrent): Cpp => {
  const lengths = inputIndex(attrs, 'lengths');
  return lengths === undefined ? cpp`int32_t` : ctype[dtypeOf(inputs[lengths]!)];
};
