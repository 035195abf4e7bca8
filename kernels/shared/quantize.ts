import type { Shape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { type TensorType, tensor } from '../../src/ir/type.js';
import { quantizedView } from '../../src/ops/quantize.js';

export type Quantized = Pick<Node<{ readonly axis: number; readonly block: number }>, 'inputs' | 'attrs'>;

/** The shapes under which the scales broadcast against the tensor. */
const viewOf = ({ inputs, attrs }: Quantized) =>
  quantizedView(shapeOf(inputs[0]!), shapeOf(inputs[1]!), attrs.axis, attrs.block);

export const refuseView = (node: Quantized): string | undefined =>
  viewOf(node) ? undefined : 'the last block is shorter than the others';

/** The operands of an elementwise kernel with the scales broadcast, and the shape of its result. */
export function scaledOperands(node: Quantized): {
  readonly operands: readonly TensorType[];
  readonly out: Shape;
} {
  const { x, scale } = viewOf(node)!;
  return { operands: node.inputs.map((v, i) => tensor(dtypeOf(v), i === 0 ? x : scale)), out: x };
}
