import { cpp, ctype, number } from '../../codegen/cpp.js';
import { defineGpuKernel, type Launch } from '../../codegen/gpu/builder.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { baseText, featuresCheck, treeEnsembleTraits, treeTables, votes } from '../shared/tree-ensemble.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';

/** Every tree's leaf for every row, then the votes of the leaves for each column in the trees' order. */
export const treeEnsembleKernel = defineGpuKernel({
  ...treeEnsembleTraits,
  refuse: refuseTypes,
  emit: ({ inputs, outputs, attrs: a }, k): readonly Launch[] => {
    const t = a.trees;
    const [rows, features] = shapeOf(inputs[0]!) as readonly [number, number];
    const trees = cpp`const ait::Trees<${ctype[t.splits.dtype]}> trees = {${treeTables(t, k)}};`;
    const count = t.roots.size;
    k.before(featuresCheck(a, k.arg(features)));
    k.include('ait/gpu/scalar.h', 'ait/forest.h');
    const leaves = k.scratch(cpp`int32_t`, cpp`${k.arg(rows)} * ${count} * 4`);
    const how = votes(a.aggregate);
    const all = [...inputs, ...outputs];
    const total = a.aggregate === 'average' ? cpp`sum / ${number(count, 'f64')}` : cpp`sum`;
    return [
      elementLoop(
        k,
        [rows, count],
        1,
        all,
        (i) => cpp`
          ${trees}
          const auto* row = ${k.input(0)} + static_cast<int64_t>(i0) * ${k.arg(features)};
          const auto feature = [row](int64_t f) { return ait::fn::cast<double>(row[f]); };
          ${leaves}[${i}] = static_cast<int32_t>(trees.leaf_of(trees.roots[i1], feature));
        `,
      ),
      elementLoop(
        k,
        [rows, a.columns],
        1,
        all,
        (i) => cpp`
          ${trees}
          double sum = ait::first_vote(${how});
          for (int64_t t = 0; t < ${count}; t++) {
            const int64_t leaf = ${leaves}[static_cast<int64_t>(i0) * ${count} + t];
            for (int64_t v = trees.leaf_start[leaf]; v < trees.leaf_start[leaf + 1]; v++) {
              if (trees.targets[v] == static_cast<int64_t>(i1)) sum = ait::joined_votes(${how}, sum, static_cast<double>(trees.weights[v]));
            }
          }
          ${baseText(a)}
          ${k.output()}[${i}] = ait::fn::cast<${ctype[dtypeOf(outputs[0]!)]}>(${total}${a.base.length > 0 && cpp` + base[i1]`});
        `,
      ),
    ];
  },
});
