import { cpp, ctype } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { dtypeOf } from '../../src/ir/graph.js';
import { iota, range, rangeCount } from '../../src/ops/range.js';
import { refusePacked } from '../shared/elements.js';

export const iotaKernel = defineKernel({
  op: iota,
  refuse: refusePacked,
  emit: ({ attrs: a }, k) => cpp`
    ait::parallel_for(ctx, ${k.arg(a.count)}, 65536, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) ${k.output()}[i] = static_cast<${ctype[a.dtype]}>(${k.arg(a.start)} + i * ${k.arg(a.step)});
    });
  `,
});

export const rangeCountKernel = defineKernel({
  op: rangeCount,
  refuse: refusePacked,
  emit: (_, k) => {
    k.include('ait/numeric.h');
    const [start, limit, delta] = [0, 1, 2].map((i) => cpp`ait::cast_to<double>(*${k.input(i)})`);
    return cpp`
      const double n = __builtin_ceil((${limit} - ${start}) / ${delta});
      if (!(n < 9e15)) {
        ctx.fail("Range: the delta does not lead to the limit");
        *${k.output()} = 0;
        return;
      }
      *${k.output()} = n > 0 ? static_cast<int64_t>(n) : 0;
    `;
  },
});

export const rangeKernel = defineKernel({
  op: range,
  refuse: refusePacked,
  emit: ({ outputs, attrs }, k) => {
    k.include('ait/numeric.h');
    const T = ctype[dtypeOf(outputs[0]!)];
    return cpp`
      const double start = ait::cast_to<double>(*${k.input(0)}), delta = ait::cast_to<double>(*${k.input(2)});
      ait::parallel_for(ctx, ${k.arg(attrs.count)}, 65536, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) ${k.output()}[i] = ait::cast_to<${T}>(start + delta * static_cast<double>(i));
      });
    `;
  },
});
