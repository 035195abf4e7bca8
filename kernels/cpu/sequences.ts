import { cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { oneHot } from '../../src/ops/one-hot.js';
import { reverseSequence } from '../../src/ops/reverse-sequence.js';
import { tensorScatter } from '../../src/ops/tensor-scatter.js';
import { flag, movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import {
  oneHotCheck,
  scatterCheck,
  scatterExtents,
  sequenceCheck,
  sequenceExtents,
} from '../shared/sequences.js';
import { table } from './table.js';

export const reverseSequenceKernel = defineKernel({
  op: reverseSequence,
  refuse: refusePacked,
  emit: (node, k) => {
    const { batch, time } = node.attrs;
    k.include('ait/movement.h');
    return cpp`
      ${sequenceCheck(node, k)}
      ${table(k, 'extents', sequenceExtents(node))}
      ait::reverse_sequence(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${k.input(1)}, extents, ${flag(time < batch)});
    `;
  },
});

export const oneHotKernel = defineKernel({
  op: oneHot,
  refuse: refusePacked,
  emit: (node, k) => {
    const { axis, depth } = node.attrs;
    const shape = shapeOf(node.inputs[0]!);
    const [outer, inner] = [numel(shape.slice(0, axis)), numel(shape.slice(axis))];
    k.include('ait/movement.h');
    const values = movedInput(k, 1);
    return cpp`
      ${oneHotCheck(node, k)}
      ait::one_hot(ctx, ${movedOutput(k)}, ${k.input(0)}, ${k.arg(outer)}, ${k.arg(depth)}, ${k.arg(inner)}, ${values}[0], ${values}[1]);
    `;
  },
});

export const tensorScatterKernel = defineKernel({
  op: tensorScatter,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, attrs } = node;
    const places = inputs.length > 2 ? k.input(2) : cpp`nullptr`;
    const extents = scatterExtents(node);
    k.include('ait/movement.h');
    return cpp`
      ${scatterCheck(node, k)}
      ait::tensor_scatter(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${movedInput(k, 1)}, ${places}, ${extents.map((d) => cpp`${k.arg(d)},`)} ${flag(attrs.circular)});
    `;
  },
});
