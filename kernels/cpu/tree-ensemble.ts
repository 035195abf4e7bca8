import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { shapeOf } from '../../src/ir/graph.js';
import { refusePacked } from '../shared/elements.js';
import { baseText, featuresCheck, treeEnsembleTraits, treeTables, votes } from '../shared/tree-ensemble.js';

export const treeEnsembleKernel = defineKernel({
  ...treeEnsembleTraits,
  refuse: refusePacked,
  emit: ({ inputs, attrs: a }, k) => {
    const t = a.trees;
    const [rows, features] = shapeOf(inputs[0]!).map((d) => k.arg(d));
    const T = ctype[t.splits.dtype];
    k.include('ait/trees.h');
    return cpp`
      ${featuresCheck(a, features!)}
      const ait::Trees<${T}> trees = {${treeTables(t, k)}};
      ${baseText(a)}
      ait::tree_ensemble(ctx, ${k.output()}, ${k.input(0)}, trees, ${rows}, ${features}, ${a.columns}, ${votes(a.aggregate)}, ${new Cpp(a.base.length > 0 ? 'base' : 'nullptr')});
    `;
  },
});
