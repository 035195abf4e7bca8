import { Cpp, cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { mul } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { treeEnsemble } from '../../src/ops/tree-ensemble.js';
import { refusePacked } from '../shared/elements.js';

type Ensemble = Parameters<typeof treeEnsemble.toOnnx>[0]['attrs'];

/** The fields of ait::Trees. */
export function treeTables(t: Ensemble['trees'], k: { weight(l: Literal): Cpp }): Cpp {
  const whole = [t.roots, t.modes, t.features, t.yes, t.no, t.missing, t.sets, t.leafStart, t.targets];
  const tables = [...whole, t.splits, t.members, t.weights].map((l) => k.weight(l));
  return cpp`${join(tables, ', ')}, ${t.roots.size}`;
}

export const votes = (aggregate: Ensemble['aggregate']): Cpp =>
  new Cpp(`ait::Votes::${aggregate[0]!.toUpperCase()}${aggregate.slice(1)}`);

export const treeEnsembleKernel = defineKernel({
  op: treeEnsemble,
  refuse: refusePacked,
  work: ({ inputs, attrs }) => mul(32, attrs.trees.roots.size, shapeOf(inputs[0]!)[0]!),
  emit: ({ inputs, attrs: a }, k) => {
    const t = a.trees;
    const [rows, features] = shapeOf(inputs[0]!).map((d) => k.arg(d));
    const T = ctype[t.splits.dtype];
    const base = join(
      a.base.map((x) => number(x, 'f64')),
      ', ',
    );
    k.include('ait/trees.h');
    return cpp`
      if (${features} < ${a.features}) return ctx.fail("TreeEnsemble: the rows are too short");
      const ait::Trees<${T}> trees = {${treeTables(t, k)}};
      ${a.base.length > 0 && cpp`const double base[] = {${base}};`}
      ait::tree_ensemble(ctx, ${k.output()}, ${k.input(0)}, trees, ${rows}, ${features}, ${a.columns}, ${votes(a.aggregate)}, ${new Cpp(a.base.length > 0 ? 'base' : 'nullptr')});
    `;
  },
});
