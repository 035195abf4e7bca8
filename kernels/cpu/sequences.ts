import { type Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { oneHot } from '../../src/ops/one-hot.js';
import { reverseSequence } from '../../src/ops/reverse-sequence.js';
import { tensorScatter } from '../../src/ops/tensor-scatter.js';
import { flag, movedInput, movedOutput, refusePacked, requireEqual } from '../shared/elements.js';
import { table } from './table.js';

/** The tensor as [outer][time or batch][middle][batch or time][inner]. */
export function sequenceExtents({
  inputs,
  attrs: { batch, time },
}: Parameters<typeof reverseSequence.toOnnx>[0]): readonly [Dim, Dim, Dim, Dim, Dim] {
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

export const reverseSequenceKernel = defineKernel({
  op: reverseSequence,
  refuse: refusePacked,
  emit: (node, k) => {
    const {
      inputs,
      attrs: { batch, time },
    } = node;
    const shape = shapeOf(inputs[0]!);
    const lengths = [[shapeOf(inputs[1]!)[0]!, shape[batch]!]] as const;
    k.include('ait/movement.h');
    return cpp`
      ${requireEqual(k, lengths, 'ReverseSequence: there is not one length for each sequence')}
      ${table(k, 'extents', sequenceExtents(node))}
      ait::reverse_sequence(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${k.input(1)}, extents, ${flag(time < batch)});
    `;
  },
});

export const oneHotKernel = defineKernel({
  op: oneHot,
  refuse: refusePacked,
  emit: ({ inputs, attrs: { axis, depth } }, k) => {
    const shape = shapeOf(inputs[0]!);
    const [outer, inner] = [numel(shape.slice(0, axis)), numel(shape.slice(axis))];
    k.include('ait/movement.h');
    const values = movedInput(k, 1);
    return cpp`
      ${requireEqual(k, [[shapeOf(inputs[1]!)[0]!, 2]], 'OneHot: the values are not a pair')}
      ait::one_hot(ctx, ${movedOutput(k)}, ${k.input(0)}, ${k.arg(outer)}, ${k.arg(depth)}, ${k.arg(inner)}, ${values}[0], ${values}[1]);
    `;
  },
});

type TensorScatter = Parameters<typeof tensorScatter.toOnnx>[0];

/** Batch, heads, places of the cache, new entries, elements of an entry. */
export function scatterExtents({
  inputs,
  attrs: { axis },
}: TensorScatter): readonly [Dim, Dim, Dim, Dim, Dim] {
  const [cache, update] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  return [cache[0]!, numel(cache.slice(1, axis)), cache[axis]!, update[axis]!, numel(cache.slice(axis + 1))];
}

/** Fails where the tensors turn out not to fit. */
export function scatterCheck({ inputs, attrs: { axis } }: TensorScatter, arg: (d: Dim) => Cpp): Cpp | false {
  const [cache, update] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const fits: (readonly [Dim, Dim])[] = cache.flatMap((n, d) =>
    d === axis ? [] : [[n, update[d]!] as const],
  );
  if (inputs.length > 2) fits.push([numel(shapeOf(inputs[2]!)), cache[0]!]);
  return requireEqual({ arg }, fits, 'TensorScatter: the entries do not fit the cache');
}

export const tensorScatterKernel = defineKernel({
  op: tensorScatter,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, attrs } = node;
    const places = inputs.length > 2 ? k.input(2) : cpp`nullptr`;
    const extents = scatterExtents(node);
    k.include('ait/movement.h');
    return cpp`
      ${scatterCheck(node, (d) => k.arg(d))}
      ait::tensor_scatter(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${movedInput(k, 1)}, ${places}, ${extents.map((d) => cpp`${k.arg(d)},`)} ${flag(attrs.circular)});
    `;
  },
});
