import type { Cpp } from '../../codegen/cpp.js';
import type { NodeOf } from '../../codegen/kernel.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import type { oneHot } from '../../src/ops/one-hot.js';
import type { reverseSequence } from '../../src/ops/reverse-sequence.js';
import type { tensorScatter } from '../../src/ops/tensor-scatter.js';
import { type Arguments, requireEqual } from './elements.js';

type ReverseSequence = NodeOf<typeof reverseSequence>;
type TensorScatter = NodeOf<typeof tensorScatter>;

/** The tensor as [outer][time or batch][middle][batch or time][inner]. */
export function sequenceExtents({
  inputs,
  attrs: { batch, time },
}: ReverseSequence): readonly [Dim, Dim, Dim, Dim, Dim] {
  const shape = shapeOf(inputs[0]!);
  const [first, second] = [Math.min(batch, time), Math.max(batch, time)];
  return [
    numel(shape.slice(0, first)),
    shape[first]!,
    numel(shape.slice(first + 1, second)),
    shape[second]!,
    numel(shape.slice(second + 1)),
  ];
}

export const sequenceCheck = ({ inputs, attrs: { batch } }: ReverseSequence, k: Arguments): Cpp | false =>
  requireEqual(
    k,
    [[shapeOf(inputs[1]!)[0]!, shapeOf(inputs[0]!)[batch]!]],
    'ReverseSequence: there is not one length for each sequence',
  );

export const oneHotCheck = ({ inputs }: Pick<NodeOf<typeof oneHot>, 'inputs'>, k: Arguments): Cpp | false =>
  requireEqual(k, [[shapeOf(inputs[1]!)[0]!, 2]], 'OneHot: the values are not a pair');

/** Batch, heads, places of the cache, new entries, elements of an entry. */
export function scatterExtents({
  inputs,
  attrs: { axis },
}: TensorScatter): readonly [Dim, Dim, Dim, Dim, Dim] {
  const [cache, update] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  return [cache[0]!, numel(cache.slice(1, axis)), cache[axis]!, update[axis]!, numel(cache.slice(axis + 1))];
}

/** Fails where the tensors turn out not to fit. */
export function scatterCheck({ inputs, attrs: { axis } }: TensorScatter, k: Arguments): Cpp | false {
  const [cache, update] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const fits: (readonly [Dim, Dim])[] = cache.flatMap((n, d) =>
    d === axis ? [] : [[n, update[d]!] as const],
  );
  if (inputs.length > 2) fits.push([numel(shapeOf(inputs[2]!)), cache[0]!]);
  return requireEqual(k, fits, 'TensorScatter: the entries do not fit the cache');
}
