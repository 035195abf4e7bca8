import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { bitcast, cast } from '../../src/ops/cast.js';
import { refuseCast, roundingName } from '../cpu/cast.js';
import { flag } from '../shared/elements.js';
import { elementLoop } from './element-loop.js';

export const castKernel = defineGpuKernel({
  op: cast,
  refuse: refuseCast,
  emit: ({ inputs, outputs, attrs }, k) => {
    k.include('ait/gpu/scalar.h');
    const mode = new Cpp(`ait::Rounding::${roundingName[attrs.round]}`);
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

/** The memory serves as it is. */
export const bitcastKernel = defineGpuKernel({ op: bitcast, alias: () => true });
