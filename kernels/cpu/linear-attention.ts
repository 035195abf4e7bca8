import { cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { mul } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf, tensorOf } from '../../src/ir/graph.js';
import { linearAttention, linearExtents } from '../../src/ops/linear-attention.js';

export function refuseLinearAttention({
  inputs,
  attrs,
}: Pick<Parameters<typeof linearAttention.toOnnx>[0], 'inputs' | 'attrs'>): string | undefined {
  const t = dtypeOf(inputs[0]!);
  if (!/^(f32|f16|bf16)$/.test(t)) return `${t} has no kernel of linear attention`;
  const typed = inputs.slice(attrs.past ? 4 : 3).every((v) => dtypeOf(v) === t);
  return typed ? undefined : 'decay and beta are of another type';
}

export const linearAttentionKernel = defineKernel({
  op: linearAttention,

  refuse: refuseLinearAttention,

  work: ({ inputs, attrs }) => {
    const { batch, steps, key, value } = linearExtents(inputs.map(tensorOf), attrs);
    return mul(4, batch, steps, attrs.keyHeads + attrs.queryHeads, key, value);
  },

  emit: ({ inputs, outputs, attrs }, k) => {
    k.include('ait/linear_attention.h');
    const { batch, steps, key, value } = linearExtents(inputs.map(tensorOf), attrs);
    let at = 3;
    const [past, decay, beta] = [attrs.past, attrs.decay, attrs.beta].map((has) => (has ? at++ : undefined));
    const width = (i: number | undefined) => k.fresh(i === undefined ? 0 : shapeOf(inputs[i]!)[2]!);
    const pointer = (i: number | undefined) => (i === undefined ? cpp`nullptr` : k.input(i));
    const fields = [
      ...[batch, steps, attrs.queryHeads, attrs.keyHeads, key, value].map((d) => k.fresh(d)),
      width(decay),
      width(beta),
      number(attrs.scale),
    ];
    const args = [k.input(0), k.input(1), k.input(2), pointer(past), pointer(decay), pointer(beta)];
    const types = [ctype[dtypeOf(inputs[0]!)], ctype[dtypeOf(outputs[1]!)]];
    return cpp`
      const ait::LinearAttentionShape s{${join(fields, ', ')}};
      ait::linear_attention<${join(types, ', ')}>(ctx, s, ${join([...args, k.output(0), k.output(1)], ', ')});
    `;
  },
});
