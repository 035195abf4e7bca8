import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import type { Expr } from '../../src/ir/expr.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { conv } from '../../src/ops/conv.js';
import { convTranspose } from '../../src/ops/conv-transpose.js';
import type { Layout } from '../../src/ops/epilogue.js';
import { matmul, productExtents } from '../../src/ops/matmul.js';

export const convTraits = defineTraits({
  op: conv,
  work: ({ inputs, outputs }) => mul(2, numel(shapeOf(outputs[0]!)), numel(shapeOf(inputs[1]!).slice(1))),
});

export const convTransposeTraits = defineTraits({
  op: convTranspose,
  work: ({ inputs }) => mul(2, numel(shapeOf(inputs[0]!)), numel(shapeOf(inputs[1]!).slice(1))),
});

export const matmulTraits = defineTraits({
  op: matmul,
  work: ({ inputs, attrs, outputs }) => {
    const { k } = productExtents(shapeOf(inputs[0]!), shapeOf(inputs[1]!), attrs);
    return mul(2, k, numel(shapeOf(outputs[0]!)));
  },
});

export type Conv = NodeOf<typeof conv>;
export type ConvTranspose = NodeOf<typeof convTranspose>;
export type Matmul = NodeOf<typeof matmul>;

/** A product or a convolution, with what becomes of its sums. */
export type Contraction = Node<{ readonly epilogue?: Expr | undefined }>;

/** What the functor of an epilogue is made for. */
export interface EpilogueUse {
  /** Inputs in front of the epilogue's operands. */
  readonly own: number;
  /** Type of the sums as the node sees them. */
  readonly sums: DType;
  readonly layout: Layout;
}

export const matmulUse = ({ inputs }: Pick<Node, 'inputs'>): EpilogueUse => ({
  own: 2,
  sums: dtypeOf(inputs[0]!),
  layout: 'NXC',
});

export const convUse = (node: Pick<Node<{ readonly layout: Layout }>, 'inputs' | 'attrs'>): EpilogueUse => ({
  ...matmulUse(node),
  layout: node.attrs.layout,
});

/** The constants of common activations, spelt out so that the compiler sees them: small multiples of a twelfth. */
export const isPlain = (x: number): boolean =>
  !Number.isFinite(x) || (Math.abs(x) <= 8 && Number.isInteger(x * 12));
