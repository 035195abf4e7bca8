import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder } from '../../codegen/gpu/builder.js';
import { type Dim, isStatic, numel, type Shape, select } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { reducedFlags } from '../../src/ops/reduce.js';
import { listOf } from '../shared/elements.js';
import {
  argReduceTraits,
  noReduction,
  plan,
  reduceFunctors,
  reduceTraits,
  reduceType,
  refuseReduce,
} from '../shared/reduce.js';
import { refuseTypes } from './pointwise.js';

import { elementType, type Reduction, reduction } from './reduction.js';

export const reduceKernel = defineGpuKernel({
  ...reduceTraits,

  refuse: (node) => refuseReduce(node) ?? refuseTypes(node),

  emit: ({ inputs, attrs: { kind, axes } }, k) => {
    const x = inputs[0]!;
    const t = dtypeOf(x);
    const shape = shapeOf(x);
    const element = reduceType(t);
    const operation = cpp`ait::gpu::${new Cpp(reduceFunctors[kind])}<${element}>`;
    if (!isStatic(axes)) return reduction(partitioned(shape, reducedFlags(shape.length, axes), t, k), k);
    const { groups, sizes } = plan(shape, axes);
    const dense = { load: cpp`ait::gpu::read(${elements(k)})`, types: [t] };
    const strided = groups && {
      load: cpp`ait::gpu::StridedRead<${elementType(t)}, ${groups.length}>{${elements(k)}, {${listOf(
        k,
        groups.map((g) => g.extent),
      )}}, {${listOf(
        k,
        groups.map((g) => g.stride),
      )}}}`,
      types: [],
    };
    return reduction({ operation, element, sizes, ...(strided ?? dense) }, k);

    /** Which axes are reduced is known to the running model only. */
    function partitioned(all: Shape, flags: readonly Dim[], type: DType, b: GpuBuilder): Reduction {
      const kept = numel(all.map((d, i) => select(flags[i]!, 1, d)));
      const dropped = numel(all.map((d, i) => select(flags[i]!, d, 1)));
      const load = cpp`ait::gpu::partition<${elementType(type)}, ${all.length}>(${elements(b)}, {${listOf(b, all)}}, {${listOf(b, flags)}})`;
      return { operation, element, load, types: [], sizes: [kept, dropped, 1] };
    }
  },
});

export const argReduceKernel = defineGpuKernel({
  ...argReduceTraits,
  refuse: (node) => noReduction(dtypeOf(node.inputs[0]!)) ?? refuseTypes(node),
  emit: ({ inputs, attrs: { axis, largest, last } }, k) => {
    const t = dtypeOf(inputs[0]!);
    const shape = shapeOf(inputs[0]!);
    const element = reduceType(t);
    const flags = new Cpp(`${largest}, ${last}`);
    return reduction(
      {
        operation: cpp`ait::gpu::ArgOp<${element}, ${flags}>`,
        element,
        load: cpp`ait::gpu::read(${elements(k)})`,
        types: [t],
        sizes: [numel(shape.slice(0, axis)), shape[axis]!, numel(shape.slice(axis + 1))],
      },
      k,
    );
  },
});

/** The input as elements that can be computed with. */
function elements(k: GpuBuilder): Cpp {
  const t = dtypeOf((k.node as Node).inputs[0]!);
  return t === 'bool' ? cpp`reinterpret_cast<const uint8_t*>(${k.input(0)})` : k.input(0);
}
