import { type Cpp, ctype } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, type DType } from '../../src/ir/type.js';
import { argReduce } from '../../src/ops/arg-reduce.js';
import { type ReduceKind, reduce } from '../../src/ops/reduce.js';
import { denseStrides } from '../../src/ops/strides.js';
import type { Ends } from './elements.js';

/** The functors that reduce, by their names in the headers. */
export const reduceFunctors: Readonly<Record<ReduceKind, string>> = {
  sum: 'SumOp',
  mean: 'MeanOp',
  max: 'MaxOp',
  min: 'MinOp',
  prod: 'ProdOp',
  l1: 'L1Op',
  l2: 'L2Op',
  sumsquare: 'SumSquareOp',
  logsum: 'LogSumOp',
  logsumexp: 'LogSumExpOp',
};

/** The C++ type a reduction of elements computes in. Truth values are ordered like their bytes. */
export const reduceType = (t: DType): Cpp => ctype[t === 'bool' ? 'u8' : computeType(t)];

export const noReduction = (t: DType): string | undefined =>
  t === 'string' || t.startsWith('c') || bitsOf[t] < 8 ? `${t} has no reduction kernel` : undefined;

export function refuseReduce({ inputs, attrs: { kind } }: NodeOf<typeof reduce>): string | undefined {
  const t = dtypeOf(inputs[0]!);
  if (kind === 'logsumexp' && !/^b?f/.test(t))
    return `there is no logarithm of a sum of exponentials of ${t}`;
  return t === 'bool' && kind !== 'max' && kind !== 'min' ? 'bool has no such reduction' : noReduction(t);
}

const work = ({ inputs }: Pick<Ends, 'inputs'>): Dim => numel(shapeOf(inputs[0]!));

export const reduceTraits = defineTraits({ op: reduce, work });
export const argReduceTraits = defineTraits({ op: argReduce, work });

export interface Group {
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
