import { cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { dropout } from '../../src/ops/dropout.js';
import { refuseDropout } from '../shared/dropout.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';

export const dropoutKernel = defineGpuKernel({
  op: dropout,
  refuse: (node) => refuseDropout(node) ?? refuseTypes(node),
  emit: ({ inputs, outputs, attrs }, k) => {
    const [x, y, mask] = [k.input(0), k.output(0), k.output(1)];
    const T = ctype[dtypeOf(inputs[0]!)];
    k.include('ait/gpu/scalar.h', 'ait/uniform.h');
    return elementLoop(
      k,
      [numel(shapeOf(inputs[0]!))],
      1,
      outputs,
      (i) => cpp`
        const auto p = ait::fn::cast<float>(*${k.input(1)});
        const bool active = *${k.input(2)} && p != 0.f;
        const bool kept = !active || ait::uniform_at(${i}, UINT64_C(${BigInt(attrs.seed)})) >= p;
        const float scale = p < 1.f ? 1.f / (1.f - p) : 0.f;
        ${mask}[${i}] = kept;
        ${y}[${i}] = active ? ait::fn::cast<${T}>(kept ? ait::fn::cast<float>(${x}[${i}]) * scale : 0.f) : ${x}[${i}];
      `,
    );
  },
});
