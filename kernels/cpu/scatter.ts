import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Reduction } from '../../src/ops/scatter.js';
import { denseStrides } from '../../src/ops/strides.js';
import { type Ends, movedInput, movedOutput } from '../shared/elements.js';
import {
  indicesCheck,
  scatterElementsTraits,
  scatterNdCheck,
  scatterNdTraits,
  updatesCheck,
} from '../shared/select.js';
import { indexType } from './gather.js';
import { refuseWalk, table } from './table.js';

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
  return refuseWalk(node, node.inputs[0]!) ?? (complex ? `${type} elements are not combined` : undefined);
}

/** The result, what it was, and the updates: as elements that are only moved where nothing combines them. */
const endsOf = (k: KernelBuilder, reduction: Reduction): readonly [Cpp, Cpp, Cpp] =>
  reduction === 'none'
    ? [movedOutput(k), movedInput(k, 0), movedInput(k, 2)]
    : [k.output(), k.input(0), k.input(2)];

export const scatterElementsKernel = defineKernel({
  ...scatterElementsTraits,
  refuse: (node) => refuseReduction(node, node.attrs.reduction),
  emit: (node, k) => {
    const { inputs } = node;
    const { axis, reduction } = node.attrs;
    const [x, indices] = inputs.map(shapeOf);
    const [y, from, updates] = endsOf(k, reduction);
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
    const { inputs } = node;
    const { reduction } = node.attrs;
    const [x, indices] = inputs.map(shapeOf);
    const depth = indices!.at(-1) as number;
    const inner = numel(x!.slice(depth));
    const [y, from, updates] = endsOf(k, reduction);
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
