import { cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { mul } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf, tensorOf } from '../../src/ir/graph.js';
import { linearAttention, linearExtents } from '../../src/ops/linear-attention.js';
import * as cpu from '../cpu/linear-attention.js';
import { atMost } from './vector-width.js';

const threads = 256;
/** Floats of a state that a block may hold. */
const mostHeld = 12 * 1024;

export const linearAttentionKernel = defineGpuKernel({
  op: linearAttention,

  refuse: (node) => {
    const { key } = linearExtents(node.inputs.map(tensorOf), node.attrs);
    const why = cpu.refuseLinearAttention(node);
    return why ?? (columnsFor(atMost(key)) ? undefined : 'a block does not hold a column of its state');
  },

  work: cpu.linearAttentionKernel.work!,

  emit: ({ inputs, outputs, attrs }, k) => {
    k.include('ait/gpu/linear_attention.h');
    const { batch, steps, key, value } = linearExtents(inputs.map(tensorOf), attrs);
    const columns = columnsFor(atMost(key))!;
    let at = 3;
    const [past, decay, beta] = [attrs.past, attrs.decay, attrs.beta].map((has) => (has ? at++ : undefined));
    const T = ctype[dtypeOf(inputs[0]!)];
    const S = ctype[dtypeOf(outputs[1]!)];
    const width = (i: number | undefined) => k.arg(i === undefined ? 0 : shapeOf(inputs[i]!)[2]!);
    const pointer = (i: number | undefined, type: typeof T) =>
      i === undefined ? cpp`static_cast<const ${type}*>(nullptr)` : k.input(i);
    const fields = [
      ...[batch, steps, attrs.queryHeads, attrs.keyHeads, key, value].map((d) => k.arg(d)),
      width(decay),
      width(beta),
      number(attrs.scale),
    ];
    const operands = [
      k.input(0),
      k.input(1),
      k.input(2),
      pointer(past, S),
      pointer(decay, T),
      pointer(beta, T),
    ];
    return {
      body: cpp`
        const ait::LinearAttentionShape s{${join(fields, ', ')}};
        ait::gpu::linear_attention<${columns}, ${threads}>(s, ${join([...operands, k.output(0), k.output(1)], ', ')});
      `,
      grid: [k.arg(mul(batch, attrs.keyHeads)), cpp`ait::gpu::blocks(${k.arg(value)}, ${columns})`],
      threads,
      shared: cpp`${k.arg(key)} * ${columns * 4}`,
    };
  },
});

/** Columns of the state that a block computes, given its rows. */
const columnsFor = (rows: number): number | undefined => [32, 8].find((c) => rows * c <= mostHeld);
