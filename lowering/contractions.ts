import { type Attrs, dtypeOf, type Node, type Op } from '../src/ir/graph.js';
import type { DType } from '../src/ir/type.js';
import { conv } from '../src/ops/conv.js';
import { convInteger } from '../src/ops/conv-integer.js';
import { convTranspose } from '../src/ops/conv-transpose.js';
import type { Layout } from '../src/ops/epilogue.js';
import { matmul } from '../src/ops/matmul.js';
import { matmulInteger } from '../src/ops/matmul-integer.js';
import { groupNorm } from '../src/ops/norm.js';

/** An operator with an epilogue. */
export interface Contraction {
  readonly op: Op;
  /** How many inputs are its own; operands of the epilogue follow. */
  readonly own: number;
  readonly layout: (attrs: Attrs) => Layout;
  /** The element type of operand 0 of the epilogue. */
  readonly sums: (n: Node) => DType;
}

const layoutOf = (attrs: Attrs): Layout => (attrs.layout as Layout | undefined) ?? 'NCX';
const inRows = (): Layout => 'NXC';
const asFactors = (n: Node): DType => dtypeOf(n.inputs[0]!);
const int32 = (): DType => 'i32';

const contractions: readonly Contraction[] = [
  { op: conv as unknown as Op, own: 2, layout: layoutOf, sums: asFactors },
  { op: convTranspose as unknown as Op, own: 2, layout: layoutOf, sums: asFactors },
  { op: matmul as unknown as Op, own: 2, layout: inRows, sums: asFactors },
  { op: convInteger as unknown as Op, own: 4, layout: layoutOf, sums: int32 },
  { op: groupNorm as unknown as Op, own: 3, layout: layoutOf, sums: asFactors },
  { op: matmulInteger as unknown as Op, own: 4, layout: inRows, sums: int32 },
];

export const contractionOf = (n: Node): Contraction | undefined => contractions.find((c) => c.op === n.op);
