import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { isFloat, isInteger } from '../../src/ir/type.js';
import { cumulate } from '../../src/ops/cumulate.js';
import { flag, refusePacked } from '../shared/elements.js';
import { aroundAxis, countCheck, sumType, topKTraits } from '../shared/order.js';

export const cumulateKernel = defineKernel({
  op: cumulate,
  refuse: (node) => {
    const type = dtypeOf(node.inputs[0]!);
    return refusePacked(node) ?? (isFloat(type) || isInteger(type) ? undefined : `${type} has no sums`);
  },
  emit: ({ inputs, attrs: a }, k) => {
    const x = inputs[0]!;
    const [outer, axis, inner] = aroundAxis(shapeOf(x), a.axis).map((d) => k.arg(d));
    const op = new Cpp(a.kind === 'sum' ? 'ait::SumOp' : 'ait::ProdOp');
    k.include('ait/scan.h');
    return cpp`ait::scan<${op}, ${sumType(dtypeOf(x))}>(ctx, ${outer}, ${axis}, ${inner}, ${flag(a.exclusive)}, ${flag(a.reverse)}, ait::read(${k.input(0)}), ait::write(${k.output()}));`;
  },
});

export const topKKernel = defineKernel({
  ...topKTraits,
  refuse: (node) => {
    const type = dtypeOf(node.inputs[0]!);
    return refusePacked(node) ?? (type.startsWith('c') ? 'complex elements have no order' : undefined);
  },
  emit: ({ inputs, attrs: a }, k) => {
    const x = inputs[0]!;
    const [outer, axis, inner] = aroundAxis(shapeOf(x), a.axis).map((d) => k.arg(d));
    const count = k.arg(a.k);
    k.include('ait/topk.h');
    return cpp`
      ${countCheck(count, axis!)}
      ait::top_k<${ctype[computeType(dtypeOf(x))]}, ${flag(a.largest)}>(ctx, ${outer}, ${axis}, ${inner}, ${count}, ${k.input(0)}, ${k.output(0)}, ${k.output(1)});
    `;
  },
});
