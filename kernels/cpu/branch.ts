import { cpp, str } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { shapeOf } from '../../src/ir/graph.js';
import { fail, if_ } from '../../src/ops/control-flow.js';
import type { Ends } from '../shared/elements.js';

/** Largest rank of a result, kMaxBranchRank in run.h. */
const mostAxes = 8;

/** Why an If is not compiled for any target. */
export function refuseBranch({ inputs, outputs }: Ends): string | undefined {
  if (outputs.some((v) => shapeOf(v).length > mostAxes)) return `a result has more than ${mostAxes} axes`;
  return inputs.length === 0 ? 'it has no condition' : undefined;
}

export const ifKernel = defineKernel({
  op: if_,
  refuse: refuseBranch,
  branches: ({ attrs }) => [attrs.thenBranch, attrs.elseBranch],
});

export const failKernel = defineKernel({
  op: fail,
  emit: ({ attrs }) => cpp`ctx.fail(${str(attrs.message)});`,
});
