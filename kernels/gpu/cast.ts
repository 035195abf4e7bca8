import { cpp } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { cast } from '../../src/ops/cast.js';
import { bitcastTraits, refuseCast, roundingText } from '../shared/cast.js';
import { flag } from '../shared/elements.js';
import { elementLoop } from './element-loop.js';

export const castKernel = defineGpuKernel({
  op: cast,
  refuse: refuseCast,
  emit: ({ inputs, outputs, attrs }, k) => {
    k.include('ait/gpu/scalar.h');
    const mode = roundingText(attrs);
    return elementLoop(
      k,
      [numel(shapeOf(outputs[0]!))],
      1,
      [...inputs, ...outputs],
      (i) =>
        cpp`${k.output()}[${i}] = ait::e8m0_from_f32(ait::fn::cast<float>(${k.input(0)}[${i}]), ${flag(attrs.saturate)}, ${mode});`,
    );
  },
});

export const bitcastKernel = defineGpuKernel(bitcastTraits);
