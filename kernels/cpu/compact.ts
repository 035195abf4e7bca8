import { cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { compress, compressCount } from '../../src/ops/nonzero.js';
import { type Ends, flag, movedInput, movedOutput } from '../shared/elements.js';
import { nonzeroCountTraits, nonzeroTraits, uniqueTraits } from '../shared/select.js';
import { refuseWalk, table } from './table.js';

const refuse = (node: Ends): string | undefined => refuseWalk(node, node.inputs[0]!);

const refuseComplex = (node: Ends): string | undefined =>
  dtypeOf(node.inputs[0]!).startsWith('c') ? 'complex elements are not compared' : refuse(node);

export const nonzeroCountKernel = defineKernel({
  ...nonzeroCountTraits,
  refuse: refuseComplex,
  emit: ({ inputs }, k) => {
    k.include('ait/select.h');
    return cpp`*${k.output()} = ait::count_nonzero(${k.input(0)}, ${k.arg(numel(shapeOf(inputs[0]!)))});`;
  },
});

export const nonzeroKernel = defineKernel({
  ...nonzeroTraits,
  refuse: refuseComplex,
  emit: ({ inputs, attrs: { count } }, k) => {
    const shape = shapeOf(inputs[0]!);
    k.include('ait/select.h');
    return cpp`
      ${table(k, 'extents', shape)}
      ait::nonzero(${k.output()}, ${k.input(0)}, ${shape.length}, extents, ${k.arg(count)});
    `;
  },
});

export const compressCountKernel = defineKernel({
  op: compressCount,
  emit: ({ attrs: { limit } }, k) => {
    k.include('ait/select.h');
    return cpp`*${k.output()} = ait::count_nonzero(${k.input(0)}, ${k.arg(limit)});`;
  },
});

export const compressKernel = defineKernel({
  op: compress,
  refuse,
  emit: ({ inputs, attrs: { axis, count } }, k) => {
    const shape = shapeOf(inputs[0]!);
    const sizes = [
      numel(shape.slice(0, axis)),
      shape[axis]!,
      numel(shape.slice(axis + 1)),
      shapeOf(inputs[1]!)[0]!,
      count,
    ].map((d) => k.arg(d));
    k.include('ait/select.h');
    return cpp`ait::compress(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${k.input(1)}, ${sizes[0]}, ${sizes[1]}, ${sizes[2]}, ${sizes[3]}, ${sizes[4]});`;
  },
});

export const uniqueKernel = defineKernel({
  ...uniqueTraits,
  refuse: refuseComplex,
  emit: ({ inputs, attrs: { axis, sorted } }, k) => {
    const shape = shapeOf(inputs[0]!);
    const sizes = [numel(shape.slice(0, axis)), shape[axis]!, numel(shape.slice(axis + 1))].map((d) =>
      k.arg(d),
    );
    k.include('ait/select.h');
    return cpp`ait::unique(ctx, ${k.output(0)}, ${k.output(1)}, ${k.output(2)}, ${k.output(3)}, ${k.output(4)}, ${k.input(0)}, ${sizes[0]}, ${sizes[1]}, ${sizes[2]}, ${flag(sorted)});`;
  },
});
