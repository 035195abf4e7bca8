import { Cpp, cpp, ctype, integer } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { nllLoss } from '../../src/ops/loss.js';
import { flag, nullPointer, requireEqual } from '../shared/elements.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { reduction } from './reduction.js';

export const nllLossKernel = defineGpuKernel({
  op: nllLoss,
  refuse: refuseTypes,
  work: ({ inputs }) => numel(shapeOf(inputs[1]!)),
  emit: ({ inputs, outputs, attrs: { reduction: how, ignore } }, k) => {
    const [batch, classes, ...space] = shapeOf(inputs[0]!);
    const t = dtypeOf(inputs[0]!);
    const E = ctype[computeType(t)];
    const target = shapeOf(inputs[1]!);
    const fits = [batch!, ...space].map((d, i) => [d, target[i]!] as const);
    k.before(requireEqual(k, fits, 'NegativeLogLikelihoodLoss: there is not one target for each place'));
    const weights = inputs.length > 2 ? k.input(2) : nullPointer(inputs[0]!);
    const fail = k.fail('NegativeLogLikelihoodLoss: a target is not one of the classes');
    const sizes = cpp`${k.arg(classes!)}, ${k.arg(numel(space))}, ${flag(ignore !== undefined)}, ${integer(ignore ?? 0, 'i64')}`;
    k.include('ait/gpu/loss.h');
    const load = cpp`ait::gpu::read_loss<${E}>(${k.input(0)}, ${k.input(1)}, ${weights}, ${sizes}, [=] { ${fail} })`;
    if (how === 'none')
      return elementLoop(
        k,
        [numel(target)],
        1,
        [...inputs, ...outputs],
        (i) => cpp`${k.output()}[${i}] = ait::gpu::stored<${ctype[t]}>(${load}.at(${i}).loss);`,
      );
    return reduction(
      {
        operation: cpp`ait::gpu::${new Cpp(how === 'sum' ? 'LossSum' : 'LossMean')}<${E}>`,
        element: cpp`ait::gpu::Loss<${E}>`,
        load,
        types: [],
        sizes: [1, numel(target), 1],
      },
      k,
    );
  },
});
