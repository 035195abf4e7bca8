import { cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { eye, trilu } from '../../src/ops/triangular.js';
import { flag, movedInput, movedOutput, refusePacked } from '../shared/elements.js';

export const triluKernel = defineKernel({
  op: trilu,
  refuse: refusePacked,
  emit: ({ inputs, attrs }, k) => {
    const shape = shapeOf(inputs[0]!);
    const [rows, columns] = shape.slice(-2).map((d) => k.arg(d));
    k.include('ait/movement.h');
    return cpp`ait::trilu(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${k.arg(numel(shape.slice(0, -2)))}, ${rows}, ${columns}, ${k.arg(attrs.k)}, ${flag(attrs.upper)});`;
  },
});

export const eyeKernel = defineKernel({
  op: eye,
  refuse: (node) => refusePacked(node) ?? (node.attrs.dtype.startsWith('c') ? 'complex ones' : undefined),
  emit: ({ outputs, attrs }, k) => {
    k.include('ait/movement.h', 'ait/numeric.h');
    const T = ctype[dtypeOf(outputs[0]!)];
    return cpp`ait::eye(ctx, ${k.output()}, ${k.arg(attrs.rows)}, ${k.arg(attrs.columns)}, ${k.arg(attrs.k)}, ait::cast_to<${T}>(1.0f));`;
  },
});
