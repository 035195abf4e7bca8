import { type Cpp, cpp, join, number } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { type Dim, mul } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf, tensorOf } from '../../src/ir/graph.js';
import { linearAttention, linearExtents } from '../../src/ops/linear-attention.js';

type LinearAttention = Pick<NodeOf<typeof linearAttention>, 'inputs' | 'attrs'>;

export const linearAttentionTraits = defineTraits({
  op: linearAttention,
  work: ({ inputs, attrs }) => {
    const { batch, steps, key, value } = linearExtents(inputs.map(tensorOf), attrs);
    return mul(4, batch, steps, attrs.keyHeads + attrs.queryHeads, key, value);
  },
});

export function refuseLinearAttention({ inputs, attrs }: LinearAttention): string | undefined {
  const t = dtypeOf(inputs[0]!);
  if (!/^(f32|f16|bf16)$/.test(t)) return `${t} has no kernel of linear attention`;
  const typed = inputs.slice(attrs.past ? 4 : 3).every((v) => dtypeOf(v) === t);
  return typed ? undefined : 'decay and beta are of another type';
}

/** Which inputs the operands are that may be missing. */
export function optionalOperands({ attrs }: Pick<LinearAttention, 'attrs'>): {
  readonly past: number | undefined;
  readonly decay: number | undefined;
  readonly beta: number | undefined;
} {
  let at = 3;
  const [past, decay, beta] = [attrs.past, attrs.decay, attrs.beta].map((has) => (has ? at++ : undefined));
  return { past, decay, beta };
}

/** The text of an ait::LinearAttentionShape, with extents as `arg` names them. */
export function linearAttentionShape(node: LinearAttention, arg: (d: Dim) => Cpp): Cpp {
  const { inputs, attrs } = node;
  const { batch, steps, key, value } = linearExtents(inputs.map(tensorOf), attrs);
  const { decay, beta } = optionalOperands(node);
  const width = (i: number | undefined): Cpp => arg(i === undefined ? 0 : shapeOf(inputs[i]!)[2]!);
  const fields = [
    ...[batch, steps, attrs.queryHeads, attrs.keyHeads, key, value].map(arg),
    width(decay),
    width(beta),
    number(attrs.scale),
  ];
  return cpp`const ait::LinearAttentionShape s{${join(fields, ', ')}};`;
}
