import { Cpp, cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { mul } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { treeEnsemble } from '../../src/ops/tree-ensemble.js';
import { refusePacked } from './elements.js';

export const treeEnsembleKernel = defineKernel({
  op: treeEnsemble,
  refuse: refusePacked,
  work: ({ inputs, attrs }) => mul(32, attrs.trees.roots.size, shapeOf(inputs[0]!)[0]!),
  emit: ({ inputs, attrs: a }, k) => {
    const t = a.trees;
    const [rows, features] = shapeOf(inputs[0]!).map((d) => k.arg(d));
    const T = ctype[t.splits.dtype];
    const whole = [t.roots, t.modes, t.features, t.yes, t.no, t.missing, t.sets, t.leafStart, t.targets];
    const tables = [...whole, t.splits, t.members, t.weights].map((l) => k.weight(l));
    const how = new Cpp(`ait::Votes::${a.aggregate[0]!.toUpperCase()}${a.aggregate.slice(1)}`);
    const base = join(
      a.base.map((x) => number(x, 'f64')),
      ', ',
    );
    k.include('ait/trees.h');
    return cpp`
      if (${features} < ${a.features}) return ctx.fail("TreeEnsemble: the rows are too short");
      const ait::Trees<${T}> trees = {${join(tables, ', ')}, ${t.roots.size}};
      ${a.base.length > 0 && cpp`const double base[] = {${base}};`}
      ait::tree_ensemble(ctx, ${k.output()}, ${k.input(0)}, trees, ${rows}, ${features}, ${a.columns}, ${how}, ${new Cpp(a.base.length > 0 ? 'base' : 'nullptr')});
    `;
  },
});
