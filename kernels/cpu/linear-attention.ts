import { cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { dtypeOf } from '../../src/ir/graph.js';
import {
  linearAttentionShape,
  linearAttentionTraits,
  optionalOperands,
  refuseLinearAttention,
} from '../shared/linear-attention.js';

export const linearAttentionKernel = defineKernel({
  ...linearAttentionTraits,

  refuse: refuseLinearAttention,

  emit: (node, k) => {
    k.include('ait/linear_attention.h');
    const { inputs, outputs } = node;
    const { past, decay, beta } = optionalOperands(node);
    const shape = linearAttentionShape(node, (d) => k.fresh(d));
    const pointer = (i: number | undefined) => (i === undefined ? cpp`nullptr` : k.input(i));
    const args = [k.input(0), k.input(1), k.input(2), pointer(past), pointer(decay), pointer(beta)];
    const types = [ctype[dtypeOf(inputs[0]!)], ctype[dtypeOf(outputs[1]!)]];
    return cpp`
      ${shape}
      ait::linear_attention<${join(types, ', ')}>(ctx, s, ${join([...args, k.output(0), k.output(1)], ', ')});
    `;
  },
});
