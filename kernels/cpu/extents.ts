import { type Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import type { Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { dims } from '../../src/ops/constant.js';
import { shapeOfValue } from '../../src/ops/shape.js';

/** Writes extents as elements. */
function write(extents: Shape, k: KernelBuilder): Cpp {
  const type = ctype[dtypeOf(k.node.outputs[0]!)];
  return cpp`${extents.map((d, i) => cpp`${k.output()}[${i}] = static_cast<${type}>(${k.arg(d)});`)}`;
}

export const dimsKernel = defineKernel({
  op: dims,
  emit: ({ attrs }, k) => write(attrs.dims, k),
});

export const shapeOfKernel = defineKernel({
  op: shapeOfValue,
  tellsExtents: true,
  emit: ({ inputs, attrs }, k) => write(shapeOf(inputs[0]!).slice(attrs.start, attrs.end), k),
});
