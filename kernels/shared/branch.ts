import { defineTraits } from '../../codegen/kernel.js';
import { shapeOf } from '../../src/ir/graph.js';
import { if_ } from '../../src/ops/control-flow.js';
import type { Ends } from './elements.js';

/** Largest rank of a result, kMaxBranchRank in run.h. */
const mostAxes = 8;

export const ifTraits = defineTraits({
  op: if_,
  branches: ({ attrs }) => [attrs.thenBranch, attrs.elseBranch],
});

/** Why an If is not compiled for any target. */
export function refuseBranch({ inputs, outputs }: Ends): string | undefined {
  if (outputs.some((v) => shapeOf(v).length > mostAxes)) return `a result has more than ${mostAxes} axes`;
  return inputs.length === 0 ? 'it has no condition' : undefined;
}
