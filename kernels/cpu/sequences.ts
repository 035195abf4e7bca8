import { cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { oneHot } from '../../src/ops/one-hot.js';
import { reverseSequence } from '../../src/ops/reverse-sequence.js';
import { tensorScatter } from '../../src/ops/tensor-scatter.js';
import { flag, movedInput, movedOutput, refusePacked, table } from './elements.js';

export const reverseSequenceKernel = defineKernel({
  op: reverseSequence,
  refuse: refusePacked,
  emit: ({ inputs, attrs: { batch, time } }, k) => {
    const shape = shapeOf(inputs[0]!);
    const [first, second] = [Math.min(batch, time), Math.max(batch, time)];
    const extents = [
      numel(shape.slice(0, first)),
      shape[first]!,
      numel(shape.slice(first + 1, second)),
      shape[second]!,
      numel(shape.slice(second + 1)),
    ];
    k.include('ait/movement.h');
    return cpp`
      ${table(k, 'extents', extents)}
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
    return cpp`ait::one_hot(ctx, ${movedOutput(k)}, ${k.input(0)}, ${k.arg(outer)}, ${k.arg(depth)}, ${k.arg(inner)}, ${values}[0], ${values}[1]);`;
  },
});

export const tensorScatterKernel = defineKernel({
  op: tensorScatter,
  refuse: refusePacked,
  emit: ({ inputs, attrs: { axis, circular } }, k) => {
    const [cache, update] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
    const places = inputs.length > 2 ? k.input(2) : cpp`nullptr`;
    const extents = [
      cache[0]!,
      numel(cache.slice(1, axis)),
      cache[axis]!,
      update[axis]!,
      numel(cache.slice(axis + 1)),
    ];
    k.include('ait/movement.h');
    return cpp`ait::tensor_scatter(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${movedInput(k, 1)}, ${places}, ${extents.map((d) => cpp`${k.arg(d)},`)} ${flag(circular)});`;
  },
});
