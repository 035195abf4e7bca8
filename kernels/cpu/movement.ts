import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { add, type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bytesOf } from '../../src/ir/type.js';
import { pad } from '../../src/ops/pad.js';
import { stridedView } from '../../src/ops/strided-view.js';
import { carrier, type Ends, movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import { mergeAxes } from '../shared/loop.js';
import {
  broadcastCheck,
  concatTraits,
  expandTraits,
  insideCheck,
  joinCheck,
  sliceTraits,
  transposeTraits,
} from '../shared/movement.js';
import { refuseWalk, table } from './table.js';

const refuse = (node: Ends): string | undefined => refuseWalk(node, node.outputs[0]!);

/** Copies what the node's strided view of its input shows. */
function copy(k: KernelBuilder, check: Cpp | false = false): Cpp {
  const view = stridedView(k.node)!;
  const nest = mergeAxes(shapeOf(k.node.outputs[0]!), [view.strides]);
  k.include('ait/movement.h');
  return cpp`
    ${check}
    ${table(k, 'extents', nest.extents)}
    ${table(k, 'strides', nest.strides[0]!)}
    ait::copy_strided(ctx, ${movedOutput(k)}, ${movedInput(k, 0)} + ${k.arg(view.offset)}, ${nest.extents.length}, extents, strides);
  `;
}

export const transposeKernel = defineKernel({
  ...transposeTraits,
  refuse,
  emit: (_, k) => copy(k),
});

export const sliceKernel = defineKernel({
  ...sliceTraits,
  refuse,
  emit: (node, k) => copy(k, insideCheck(node, k)),
});

export const expandKernel = defineKernel({
  ...expandTraits,
  refuse,
  emit: (node, k) => copy(k, broadcastCheck(node, k)),
});

export const concatKernel = defineKernel({
  ...concatTraits,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, outputs } = node;
    const { axis } = node.attrs;
    const [y] = outputs;
    const size = bytesOf(dtypeOf(y!), 1);
    const row = (shape: Shape): Dim => mul(size, numel(shape.slice(axis)));
    const rows = k.arg(numel(shapeOf(y!).slice(0, axis)));
    const whole = k.arg(row(shapeOf(y!)));
    let offset: Dim = 0;
    const parts = inputs.map((v, i) => {
      const bytes = row(shapeOf(v));
      const width = k.arg(bytes);
      const copied = cpp`ait::copy_rows(ctx, y + ${k.arg(offset)}, ${whole}, ${k.input(i)}, ${width}, ${rows}, ${width});`;
      offset = add(offset, bytes);
      return copied;
    });
    k.include('ait/movement.h');
    return cpp`
      ${joinCheck(node, k)}
      uint8_t* y = reinterpret_cast<uint8_t*>(${k.output()});
      ${parts}
    `;
  },
});

const padModes = { constant: 'Constant', edge: 'Edge', reflect: 'Reflect', wrap: 'Wrap' } as const;

export const padKernel = defineKernel({
  op: pad,
  refuse,
  emit: ({ inputs, attrs }, k) => {
    const T = carrier(dtypeOf(inputs[0]!));
    const axes = mergePads(shapeOf(inputs[0]!), attrs.before, attrs.after, attrs.mode === 'constant');
    const value = inputs.length > 1 ? cpp`*${movedInput(k, 1)}` : cpp`${T}{}`;
    k.include('ait/movement.h');
    return cpp`
      ${table(
        k,
        'extents',
        axes.map((a) => a.extent),
      )}
      ${table(
        k,
        'before',
        axes.map((a) => a.before),
      )}
      ${table(
        k,
        'after',
        axes.map((a) => a.after),
      )}
      ait::pad<${T}>(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${axes.length}, extents, before, after, ait::PadMode::${new Cpp(padModes[attrs.mode])}, ${value});
    `;
  },
});

interface PaddedAxis {
  readonly extent: Dim;
  readonly before: Dim;
  readonly after: Dim;
}

/** Joins neighbouring axes that nothing is added to; with constants also one such into the padded axis before it. */
function mergePads(shape: Shape, before: Shape, after: Shape, constant: boolean): readonly PaddedAxis[] {
  const axes: PaddedAxis[] = [];
  shape.forEach((extent, d) => {
    const own: PaddedAxis = { extent, before: before[d]!, after: after[d]! };
    const last = axes.at(-1);
    const plain = own.before === 0 && own.after === 0;
    if (last && plain && (constant || (last.before === 0 && last.after === 0)))
      axes[axes.length - 1] = {
        extent: mul(last.extent, extent),
        before: mul(last.before, extent),
        after: mul(last.after, extent),
      };
    else axes.push(own);
  });
  return axes.length === 0 ? [{ extent: 1, before: 0, after: 0 }] : axes;
}
