import { cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { flag } from '../shared/elements.js';
import { argReduceTraits, noReduction, reduceType } from '../shared/reduce.js';

export const argReduceKernel = defineKernel({
  ...argReduceTraits,
  refuse: ({ inputs }) => noReduction(dtypeOf(inputs[0]!)),
  emit: ({ inputs, attrs: { axis, largest, last } }, k) => {
    k.include('ait/reduce.h');
    const shape = shapeOf(inputs[0]!);
    const E = reduceType(dtypeOf(inputs[0]!));
    const sizes = cpp`${k.arg(numel(shape.slice(0, axis)))}, ${k.arg(shape[axis]!)}, ${k.arg(numel(shape.slice(axis + 1)))}`;
    const [most, which] = [flag(largest), flag(last)];
    return cpp`ait::arg_extreme<${E}, ${most}>(ctx, ${sizes}, ${which}, ait::read(${k.input(0)}), ${k.output()});`;
  },
});
