import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, isStatic, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, type DType } from '../../src/ir/type.js';
import { type ReduceKind, reduce, reducedFlags } from '../../src/ops/reduce.js';
import { denseStrides } from '../../src/ops/strides.js';
import { listOf } from '../shared/elements.js';

const operations: Readonly<Record<Exclude<ReduceKind, 'logsumexp'>, string>> = {
  sum: 'SumOp',
  mean: 'MeanOp',
  max: 'MaxOp',
  min: 'MinOp',
  prod: 'ProdOp',
  l1: 'L1Op',
  l2: 'L2Op',
  sumsquare: 'SumSquareOp',
  logsum: 'LogSumOp',
};

/** The C++ type a reduction of elements computes in. Truth values are ordered like their bytes. */
export const reduceType = (t: DType): Cpp => ctype[t === 'bool' ? 'u8' : computeType(t)];

export const noReduction = (t: DType): string | undefined =>
  t === 'string' || t.startsWith('c') || bitsOf[t] < 8 ? `${t} has no reduction kernel` : undefined;

export const reduceKernel = defineKernel({
  op: reduce,

  refuse: ({ inputs, attrs: { kind } }) => {
    const t = dtypeOf(inputs[0]!);
    if (kind === 'logsumexp' && !/^b?f/.test(t))
      return `there is no logarithm of a sum of exponentials of ${t}`;
    return t === 'bool' && kind !== 'max' && kind !== 'min' ? 'bool has no such reduction' : noReduction(t);
  },

  work: ({ inputs }) => numel(shapeOf(inputs[0]!)),

  emit: ({ inputs, attrs: { kind, axes } }, k) => {
    k.include('ait/reduce.h');
    const shape = shapeOf(inputs[0]!);
    const rank = shape.length;
    const E = reduceType(dtypeOf(inputs[0]!));
    const call = (sizes: Cpp, read: Cpp): Cpp =>
      kind === 'logsumexp'
        ? cpp`ait::reduce_log_sum_exp<${E}>(ctx, ${sizes}, ${read}, ait::write(${k.output()}));`
        : cpp`ait::reduce<ait::${new Cpp(operations[kind])}, ${E}>(ctx, ${sizes}, ${read}, ait::write(${k.output()}));`;
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

interface Group {
  readonly extent: Dim;
  readonly stride: Dim;
}

/**
 * A tensor as [outer][axis][inner] with the axis reduced. Where the reduced axes are not side by side, the
 * groups say in which order its axes must be read for that.
 */
export function plan(
  shape: Shape,
  axes: readonly number[],
): { readonly groups?: readonly Group[]; readonly sizes: readonly [Dim, Dim, Dim] } {
  const strides = denseStrides(shape);
  const runs: { drops: boolean; extents: Dim[]; stride: Dim }[] = [];
  shape.forEach((d, i) => {
    if (d === 1) return;
    const drops = axes.includes(i);
    const last = runs.at(-1);
    if (last?.drops === drops) {
      last.extents.push(d);
      last.stride = strides[i]!;
    } else runs.push({ drops, extents: [d], stride: strides[i]! });
  });
  const size = (list: typeof runs): Dim => numel(list.flatMap((r) => r.extents));
  const dropped = runs.filter((r) => r.drops);
  const inner = runs.at(-1)?.drops === false ? runs.slice(-1) : [];
  const outer = runs.filter((r) => !r.drops && !inner.includes(r));
  const sizes = [size(outer), size(dropped), size(inner)] as const;
  if (dropped.length <= 1) {
    // Nothing is reduced: every element is a result of its own.
    return dropped.length === 0 ? { sizes: [size(runs), 1, 1] } : { sizes };
  }
  const groups = [...outer, ...dropped, ...inner].map((r) => ({
    extent: numel(r.extents),
    stride: r.stride,
  }));
  return { groups, sizes };
}

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
