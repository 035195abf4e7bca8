import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, isFloat } from '../../src/ir/type.js';
import { nllLoss } from '../../src/ops/loss.js';

const reductions = { none: 'None', sum: 'Sum', mean: 'Mean' } as const;

export const nllLossKernel = defineKernel({
  op: nllLoss,
  refuse: ({ inputs }) => {
    const t = dtypeOf(inputs[0]!);
    return isFloat(t) && bitsOf[t] > 8 ? undefined : `there is no loss of ${t}`;
  },
  emit: ({ inputs, attrs: { reduction, ignore } }, k) => {
    k.include('ait/loss.h');
    const [batch, classes, ...space] = shapeOf(inputs[0]!);
    const [x, target] = [k.input(0), k.input(1)];
    const weight = inputs.length > 2 ? k.input(2) : cpp`static_cast<decltype(${x})>(nullptr)`;
    const sizes = cpp`${k.arg(batch!)}, ${k.arg(classes!)}, ${k.arg(numel(space))}`;
    const ignored = ignore === undefined ? cpp`false, 0` : cpp`true, ${ignore}`;
    const how = new Cpp(`ait::LossReduction::${reductions[reduction]}`);
    return cpp`ait::nll_loss<${how}>(ctx, ${x}, ${target}, ${weight}, ${k.output()}, ${sizes}, ${ignored});`;
  },
});
