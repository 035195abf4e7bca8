import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, type DType, isFloat, isInteger } from '../../src/ir/type.js';
import { cumulate } from '../../src/ops/cumulate.js';
import { atAxis } from '../../src/ops/strides.js';
import { topK } from '../../src/ops/top-k.js';
import { flag, refusePacked } from '../shared/elements.js';

/** Extents in front of an axis, of it and behind it. */
export function aroundAxis(shape: Shape, axis: Dim): readonly [Dim, Dim, Dim] {
  const parts = (f: (d: number) => Shape): Dim =>
    atAxis(
      axis,
      shape.map((_, d) => numel(f(d))),
    );
  return [parts((d) => shape.slice(0, d)), parts((d) => [shape[d]!]), parts((d) => shape.slice(d + 1))];
}

/** Integers are summed without a sign, so that they wrap. */
export const sumType = (t: DType): Cpp =>
  isFloat(t) ? ctype[computeType(t)] : new Cpp(bitsOf[t] === 64 ? 'uint64_t' : 'uint32_t');

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
  op: topK,
  refuse: (node) => {
    const type = dtypeOf(node.inputs[0]!);
    return refusePacked(node) ?? (type.startsWith('c') ? 'complex elements have no order' : undefined);
  },
  work: ({ inputs }) => mul(8, numel(shapeOf(inputs[0]!))),
  emit: ({ inputs, attrs: a }, k) => {
    const x = inputs[0]!;
    const [outer, axis, inner] = aroundAxis(shapeOf(x), a.axis).map((d) => k.arg(d));
    const count = k.arg(a.k);
    k.include('ait/topk.h');
    return cpp`
      if (${count} < 0 || ${count} > ${axis}) return ctx.fail("TopK: more elements are asked for than there are");
      ait::top_k<${ctype[computeType(dtypeOf(x))]}, ${flag(a.largest)}>(ctx, ${outer}, ${axis}, ${inner}, ${count}, ${k.input(0)}, ${k.output(0)}, ${k.output(1)});
    `;
  },
});
