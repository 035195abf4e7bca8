import { cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { dropout } from '../../src/ops/dropout.js';
import { refuseDropout } from '../shared/dropout.js';

export const dropoutKernel = defineKernel({
  op: dropout,
  refuse: refuseDropout,
  emit: ({ inputs, attrs }, k) => {
    k.include('ait/dropout.h');
    const [x, ratio, on] = [k.input(0), k.input(1), k.input(2)];
    const n = k.arg(numel(shapeOf(inputs[0]!)));
    return cpp`ait::dropout(ctx, ${x}, ${ratio}, ${on}, ${k.output(0)}, ${k.output(1)}, ${n}, UINT64_C(${BigInt(attrs.seed)}));`;
  },
});
