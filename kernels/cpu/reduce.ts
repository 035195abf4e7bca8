import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { isStatic } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { reducedFlags } from '../../src/ops/reduce.js';
import { listOf } from '../shared/elements.js';
import {
  type Group,
  plan,
  reduceFunctors,
  reduceTraits,
  reduceType,
  refuseReduce,
} from '../shared/reduce.js';

export const reduceKernel = defineKernel({
  ...reduceTraits,

  refuse: refuseReduce,

  emit: ({ inputs, attrs: { kind, axes } }, k) => {
    k.include('ait/reduce.h');
    const shape = shapeOf(inputs[0]!);
    const rank = shape.length;
    const E = reduceType(dtypeOf(inputs[0]!));
    const call = (sizes: Cpp, read: Cpp): Cpp =>
      kind === 'logsumexp'
        ? cpp`ait::reduce_log_sum_exp<${E}>(ctx, ${sizes}, ${read}, ait::write(${k.output()}));`
        : cpp`ait::reduce<ait::${new Cpp(reduceFunctors[kind])}, ${E}>(ctx, ${sizes}, ${read}, ait::write(${k.output()}));`;
    if (!isStatic(axes)) {
      k.include('ait/strided.h');
      const T = ctype[dtypeOf(inputs[0]!)];
      const flags = reducedFlags(rank, axes);
      return cpp`
        const int64_t extents[] = {${listOf(k, shape)}}, reduced[] = {${listOf(k, flags)}};
        const ait::Partition<${T}, ${rank}> parts(${k.input(0)}, extents, reduced);
        ${call(cpp`parts.kept, parts.dropped, 1`, cpp`parts.read`)}
      `;
    }
    const { groups, sizes } = plan(shape, axes);
    const [outer, axis, inner] = sizes;
    const list = cpp`${k.arg(outer)}, ${k.arg(axis)}, ${k.arg(inner)}`;
    return call(list, groups ? stridedRead(groups, dtypeOf(inputs[0]!), k) : cpp`ait::read(${k.input(0)})`);
  },
});

function stridedRead(groups: readonly Group[], t: DType, k: KernelBuilder): Cpp {
  k.include('ait/strided.h');
  const extents = listOf(
    k,
    groups.map((g) => g.extent),
  );
  const strides = listOf(
    k,
    groups.map((g) => g.stride),
  );
  return cpp`ait::StridedRead<${ctype[t]}, ${groups.length}>{${k.input(0)}, {${extents}}, {${strides}}}`;
}
