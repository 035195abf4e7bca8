import type { NodeOf } from '../../codegen/kernel.js';
import { type Shape, sameShape } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import type { convInteger } from '../../src/ops/conv-integer.js';
import type { matmulInteger } from '../../src/ops/matmul-integer.js';

export type MatmulInteger = NodeOf<typeof matmulInteger>;
export type ConvInteger = NodeOf<typeof convInteger>;

export const isOne = (s: Shape): boolean => s.every((d) => d === 1);

/** Zero points of A: one, or one for each row of the result. */
const perRow = ({ inputs, outputs }: MatmulInteger): boolean => {
  const rows = shapeOf(outputs[0]!).slice(0, -1);
  const points = shapeOf(inputs[2]!);
  return points.at(-1) === 1 && sameShape(points.slice(0, -1), rows);
};

const perColumn = ({ inputs, outputs }: MatmulInteger): boolean => {
  const points = shapeOf(inputs[3]!);
  const columns = shapeOf(outputs[0]!).at(-1)!;
  return isOne(points.slice(0, -1)) && points.length > 0 && sameShape(points.slice(-1), [columns]);
};

/** Why no kernel takes a product's zero points, if none does. */
export function refuseMatmulPoints(node: MatmulInteger): string | undefined {
  if (!isOne(shapeOf(node.inputs[2]!)) && !perRow(node)) return 'its zero points of A are not one a row';
  if (!isOne(shapeOf(node.inputs[3]!)) && !perColumn(node))
    return 'its zero points of B are not one a column';
  return undefined;
}

/** Why no kernel takes a convolution's zero points, if none does. */
export function refuseConvPoints({ inputs }: ConvInteger): string | undefined {
  if (!isOne(shapeOf(inputs[2]!))) return 'its input has several zero points';
  if (shapeOf(inputs[3]!).length > 1) return 'its weights have zero points of several axes';
  return undefined;
}
