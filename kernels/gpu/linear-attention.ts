import { cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { mul } from '../../src/ir/dim.js';
import { dtypeOf, tensorOf } from '../../src/ir/graph.js';
import { linearExtents } from '../../src/ops/linear-attention.js';
import {
  linearAttentionShape,
  linearAttentionTraits,
  optionalOperands,
  refuseLinearAttention,
} from '../shared/linear-attention.js';
import { atMost } from './vector-width.js';

const threads = 256;
/** Floats of a state that a block may hold. */
const mostHeld = 12 * 1024;

export const linearAttentionKernel = defineGpuKernel({
  ...linearAttentionTraits,

  refuse: (node) => {
    const { key } = linearExtents(node.inputs.map(tensorOf), node.attrs);
    const why = refuseLinearAttention(node);
    return why ?? (columnsFor(atMost(key)) ? undefined : 'a block does not hold a column of its state');
  },

  emit: (node, k) => {
    k.include('ait/gpu/linear_attention.h');
    const { inputs, outputs, attrs } = node;
    const { batch, key, value } = linearExtents(inputs.map(tensorOf), attrs);
    const columns = columnsFor(atMost(key))!;
    const { past, decay, beta } = optionalOperands(node);
    const T = ctype[dtypeOf(inputs[0]!)];
    const S = ctype[dtypeOf(outputs[1]!)];
    const pointer = (i: number | undefined, type: typeof T) =>
      i === undefined ? cpp`static_cast<const ${type}*>(nullptr)` : k.input(i);
    const shape = linearAttentionShape(node, (d) => k.arg(d));
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
        ${shape}
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
