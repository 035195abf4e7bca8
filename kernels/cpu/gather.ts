import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { gather, gatherElements, gatherNd } from '../../src/ops/gather.js';
import { denseStrides } from '../../src/ops/strides.js';
import { type Ends, movedInput, movedOutput } from '../shared/elements.js';
import { gatherNdCheck, indicesCheck } from '../shared/select.js';
import { refuseWalk, table } from './table.js';

const refuse = (node: Ends): string | undefined => refuseWalk(node, node.inputs[0]!);

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
    const { inputs } = node;
    const { batch } = node.attrs;
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

export const indexType = (t: string): Cpp => new Cpp(t === 'i32' ? 'int32_t' : 'int64_t');
