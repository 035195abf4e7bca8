import { cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { cast } from '../../src/ops/cast.js';
import { bitcastTraits, refuseCast, roundingText } from '../shared/cast.js';
import { flag } from '../shared/elements.js';

export const castKernel = defineKernel({
  op: cast,
  refuse: refuseCast,
  emit: ({ outputs, attrs }, k) => {
    k.include('ait/numeric.h');
    const [x, y] = [k.input(0), k.output()];
    const saturate = flag(attrs.saturate);
    const mode = roundingText(attrs);
    return cpp`
      ait::parallel_for(ctx, ${k.arg(numel(shapeOf(outputs[0]!)))}, 16384, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
          ${y}[i] = ait::e8m0_from_f32<${saturate}>(ait::cast_to<float>(${x}[i]), ${mode});
        }
      });
    `;
  },
});

export const bitcastKernel = defineKernel(bitcastTraits);
