import { Cpp, cpp, join, number } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { mul } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { treeEnsemble } from '../../src/ops/tree-ensemble.js';

type Ensemble = NodeOf<typeof treeEnsemble>['attrs'];

export const treeEnsembleTraits = defineTraits({
  op: treeEnsemble,
  work: ({ inputs, attrs }) => mul(32, attrs.trees.roots.size, shapeOf(inputs[0]!)[0]!),
});

/** The fields of ait::Trees. */
export function treeTables(t: Ensemble['trees'], k: { weight(l: Literal): Cpp }): Cpp {
  const whole = [t.roots, t.modes, t.features, t.yes, t.no, t.missing, t.sets, t.leafStart, t.targets];
  const tables = [...whole, t.splits, t.members, t.weights].map((l) => k.weight(l));
  return cpp`${join(tables, ', ')}, ${t.roots.size}`;
}

/** Fails where rows turn out to have fewer features than the trees ask for. */
export const featuresCheck = ({ features }: Ensemble, given: Cpp): Cpp =>
  cpp`if (${given} < ${features}) return ctx.fail("TreeEnsemble: the rows are too short");`;

/** What the columns begin with, as an array, where there is anything. */
export const baseText = ({ base }: Ensemble): Cpp | false =>
  base.length > 0 &&
  cpp`const double base[] = {${join(
    base.map((x) => number(x, 'f64')),
    ', ',
  )}};`;

export const votes = (aggregate: Ensemble['aggregate']): Cpp =>
  new Cpp(`ait::Votes::${aggregate[0]!.toUpperCase()}${aggregate.slice(1)}`);
