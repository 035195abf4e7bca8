import { defineKernel } from '../../codegen/kernel.js';
import { shapeOf } from '../../src/ir/graph.js';
import { if_ } from '../../src/ops/control-flow.js';

/** Largest rank of a result, kMaxBranchRank in run.h. */
const mostAxes = 8;

export const ifKernel = defineKernel({
  op: if_,
  refuse: ({ inputs, outputs }) => {
    if (outputs.some((v) => shapeOf(v).length > mostAxes)) return `a result has more than ${mostAxes} axes`;
    return inputs.length === 0 ? 'it has no condition' : undefined;
  },
  branches: ({ attrs }) => [attrs.thenBranch, attrs.elseBranch],
});
