import { type Cpp, cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import type { Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../src/ir/graph.js';
import { attention, attentionWork, headsFirst } from '../../src/ops/attention.js';
import { denseStrides } from '../../src/ops/strides.js';
import { flag } from '../shared/elements.js';
import { broadcastSteps } from '../shared/loop.js';

export const attentionKernel = defineKernel({
  op: attention,

  refuse: ({ inputs, attrs }) => {
    if (attrs.parts) return 'its operands are parts of tensors';
    const t = dtypeOf(inputs[0]!);
    return t === 'f32' || t === 'f16' || t === 'bf16' ? undefined : `${t} has no attention kernel`;
  },

  work: ({ inputs, attrs }) => {
    const [q, k, v] = inputs.slice(0, 3).map((x, i) => headsFirst(shapeOf(x), attrs.rowsFirst[i]!));
    return attentionWork(q!, k!, v!);
  },

  emit: ({ inputs, outputs, attrs }, k) => {
    k.include('ait/attention.h');
    const shapes = inputs.slice(0, 3).map((x, i) => headsFirst(shapeOf(x), attrs.rowsFirst[i]!));
    const [q, keys, values] = shapes as [Shape, Shape, Shape];
    const t = ctype[dtypeOf(inputs[0]!)];
    const { window } = attrs;
    const lengths = attrs.lengths ? k.input(3 + Number(attrs.mask)) : cpp`nullptr`;
    const fields = [
      ...[q[0]!, q[1]!, keys[1]!, q[2]!, keys[2]!, q[3]!, values[3]!].map((d) => k.fresh(d)),
      number(attrs.scale),
      number(attrs.softcap),
      k.fresh(window?.offset ?? 0),
      k.fresh(window?.left ?? -1),
      k.fresh(window?.right ?? -1),
      lengths,
      flag(attrs.lengths),
    ];
    const views = inputs
      .slice(0, 3)
      .map((x, i) => view(k.input(i), cpp`const ${t}`, x, attrs.rowsFirst[i]!, k));
    const result = view(k.output(), t, outputs[0]!, attrs.rowsFirst[3], k);
    const mask = attrs.mask ? maskView(inputs[3]!, q.slice(0, 3), k) : cpp`ait::MaskView<float>{}`;
    return cpp`
      const ait::AttentionShape s{${join(fields, ', ')}};
      ait::attention<${t}>(ctx, s, ${join([...views, mask, result], ', ')});
    `;
  },
});

function view(p: Cpp, type: Cpp, v: Value, rowsFirst: boolean, k: KernelBuilder): Cpp {
  const strides = headsFirst(denseStrides(shapeOf(v)), rowsFirst);
  return cpp`ait::HeadsView<${type}>{${join([p, ...strides.map((d) => k.fresh(d))], ', ')}}`;
}

/** A mask whose axes before the last broadcast to those of the scores. */
function maskView(mask: Value, rows: Shape, k: KernelBuilder): Cpp {
  const shape = shapeOf(mask);
  const steps = broadcastSteps(rows, shape.slice(0, -1), denseStrides(shape));
  const fields = [k.input(3), ...steps.map((d) => k.fresh(d)), cpp`1`, k.fresh(shape.at(-1)!)];
  return cpp`ait::MaskView<${ctype[dtypeOf(mask)]}>{${join(fields, ', ')}}`;
}
