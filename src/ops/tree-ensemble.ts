import type { Literal } from '../ir/literal.js';
import { type DType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { defineOp, type OpDef } from './op.js';
import { exportedTrees } from './tree-ensemble-export.js';
import { classicTrees, recentTrees } from './tree-ensemble-onnx.js';

/** How a node compares a feature with its split; `member` looks the feature up in a set. */
export const branchModes = ['leq', 'lt', 'gte', 'gt', 'eq', 'neq', 'member'] as const;
export const aggregations = ['average', 'sum', 'min', 'max'] as const;

/**
 * Decision trees over tables: a child that is not negative is a node, another one leaf -1 - child. Leaf i
 * adds the entries from leafStart[i] up to leafStart[i + 1].
 */
export type Trees = {
  readonly roots: Literal;
  readonly modes: Literal;
  readonly features: Literal;
  readonly splits: Literal;
  readonly yes: Literal;
  readonly no: Literal;
  /** Whether a NaN takes the branch of those that compare true. */
  readonly missing: Literal;
  /** Where a member node's set starts and ends in `members`. */
  readonly sets: Literal;
  readonly members: Literal;
  readonly leafStart: Literal;
  readonly targets: Literal;
  readonly weights: Literal;
};

/** The trees' votes for each row of a matrix. */
export const treeEnsemble: OpDef<{
  trees: Trees;
  columns: number;
  /** Features a row must have. */
  features: number;
  aggregate: (typeof aggregations)[number];
  /** Added to each column; empty or as many as there are columns. */
  base: readonly number[];
  dtype: DType;
}> = defineOp({
  name: 'tree_ensemble',
  infer: ([x], { columns, features, dtype }) => {
    const own = x!.shape[1];
    if (x!.shape.length !== 2 || (typeof own === 'number' && own < features))
      throw new CompileError('bad-trees', `the trees need rows of ${features} features`);
    return tensor(dtype, [x!.shape[0]!, columns]);
  },
  onnx: {
    'ai.onnx.ml::TreeEnsemble': { 5: recentTrees },
    'ai.onnx.ml::TreeEnsembleRegressor': { 1: classicTrees },
  },
  toOnnx: ({ attrs }, [x], e) => exportedTrees(attrs, x!, e),
});
