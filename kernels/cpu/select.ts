import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { gather, gatherElements, gatherNd } from '../../src/ops/gather.js';
import { compress, compressCount } from '../../src/ops/nonzero.js';
import type { Reduction } from '../../src/ops/scatter.js';
import { denseStrides } from '../../src/ops/strides.js';
import { type Ends, flag, movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import {
  gatherNdCheck,
  indicesCheck,
  nonzeroCountTraits,
  nonzeroTraits,
  scatterElementsTraits,
  scatterNdCheck,
  scatterNdTraits,
  uniqueTraits,
  updatesCheck,
} from '../shared/select.js';
import { table } from './table.js';

const mostAxes = 12;

function refuse(node: Ends): string | undefined {
  if (shapeOf(node.inputs[0]!).length > mostAxes) return `it has more than ${mostAxes} axes`;
  return refusePacked(node);
}

export const gatherKernel = defineKernel({
  op: gather,
  refuse,
  emit: ({ inputs, attrs: { axis } }, k) => {
    const [x, indices] = inputs.map(shapeOf);
    const sizes = [numel(x!.slice(0, axis)), x![axis]!, numel(indices!), numel(x!.slice(axis + 1))].map((d) =>
      k.arg(d),
    );
    k.include('ait/select.h');
    return cpp`ait::gather(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${k.input(1)}, ${sizes[0]}, ${sizes[1]}, ${sizes[2]}, ${sizes[3]});`;
  },
});

export const gatherElementsKernel = defineKernel({
  op: gatherElements,
  refuse,
  emit: (node, k) => {
    const { axis } = node.attrs;
    const [x, indices] = node.inputs.map(shapeOf);
    k.include('ait/select.h');
    return cpp`
      ${indicesCheck(node, k, 'GatherElements')}
      ${table(k, 'extents', indices!)}
      ${table(k, 'strides', denseStrides(x!))}
      ait::gather_elements(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${k.input(1)}, ${indices!.length}, extents, strides, ${axis}, ${k.arg(x![axis]!)});
    `;
  },
});

export const gatherNdKernel = defineKernel({
  op: gatherNd,
  refuse,
  emit: (node, k) => {
    const {
      inputs,
      attrs: { batch },
    } = node;
    const [x, indices] = inputs.map(shapeOf);
    const depth = indices!.at(-1) as number;
    const named = x!.slice(batch, batch + depth);
    const inner = numel(x!.slice(batch + depth));
    const each = numel(x!.slice(batch));
    const count = numel(indices!.slice(batch, -1));
    k.include('ait/select.h');
    return cpp`
      ${gatherNdCheck(node, k)}
      ${table(k, 'extents', named)}
      ${table(k, 'strides', denseStrides([...named, inner]).slice(0, -1))}
      const auto places = ait::Places<${indexType(dtypeOf(inputs[1]!))}>{${k.input(1)}, ${depth}, extents, strides};
      ait::gather_nd(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, places, ${k.arg(numel(x!.slice(0, batch)))}, ${k.arg(each)}, ${k.arg(count)}, ${k.arg(inner)});
    `;
  },
});

const indexType = (t: string): Cpp => new Cpp(t === 'i32' ? 'int32_t' : 'int64_t');

const combine: Readonly<Record<Reduction, string>> = {
  none: 'ait::Replace',
  add: 'ait::Combine<ait::AddOf>',
  mul: 'ait::Combine<ait::MulOf>',
  max: 'ait::Combine<ait::MaxOf>',
  min: 'ait::Combine<ait::MinOf>',
};

function refuseReduction(node: Ends, reduction: Reduction): string | undefined {
  const type = dtypeOf(node.outputs[0]!);
  const complex = reduction !== 'none' && type.startsWith('c');
  return refuse(node) ?? (complex ? `${type} elements are not combined` : undefined);
}

export const scatterElementsKernel = defineKernel({
  ...scatterElementsTraits,
  refuse: (node) => refuseReduction(node, node.attrs.reduction),
  emit: (node, k) => {
    const {
      inputs,
      attrs: { axis, reduction },
    } = node;
    const [x, indices] = inputs.map(shapeOf);
    const moved = reduction === 'none';
    const [y, from, updates] = moved
      ? [movedOutput(k), movedInput(k, 0), movedInput(k, 2)]
      : [k.output(), k.input(0), k.input(2)];
    k.include('ait/select.h');
    return cpp`
      ${updatesCheck(node, k)}
      ${indicesCheck(node, k, 'ScatterElements')}
      ${table(k, 'extents', indices!)}
      ${table(k, 'strides', denseStrides(x!))}
      ait::scatter_elements<${new Cpp(combine[reduction])}>(ctx, ${y}, ${from}, ${k.input(1)}, ${updates}, ${k.arg(numel(x!))}, ${indices!.length}, extents, strides, ${axis}, ${k.arg(x![axis]!)});
    `;
  },
});

export const scatterNdKernel = defineKernel({
  ...scatterNdTraits,
  refuse: (node) => refuseReduction(node, node.attrs.reduction),
  emit: (node, k) => {
    const {
      inputs,
      attrs: { reduction },
    } = node;
    const [x, indices] = inputs.map(shapeOf);
    const depth = indices!.at(-1) as number;
    const inner = numel(x!.slice(depth));
    const moved = reduction === 'none';
    const [y, from, updates] = moved
      ? [movedOutput(k), movedInput(k, 0), movedInput(k, 2)]
      : [k.output(), k.input(0), k.input(2)];
    k.include('ait/select.h');
    return cpp`
      ${scatterNdCheck(node, k)}
      ${table(k, 'extents', x!.slice(0, depth))}
      ${table(k, 'strides', denseStrides([...x!.slice(0, depth), inner]).slice(0, -1))}
      const auto places = ait::Places<${indexType(dtypeOf(inputs[1]!))}>{${k.input(1)}, ${depth}, extents, strides};
      ait::scatter_nd<${new Cpp(combine[reduction])}>(ctx, ${y}, ${from}, places, ${updates}, ${k.arg(numel(x!))}, ${k.arg(numel(indices!.slice(0, -1)))}, ${k.arg(inner)});
    `;
  },
});

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
