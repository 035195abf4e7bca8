import { cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { flag } from '../shared/elements.js';
import { uniqueTraits } from '../shared/select.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';

const threads = 512;

export const uniqueKernel = defineGpuKernel({
  ...uniqueTraits,
  refuse: refuseTypes,
  emit: ({ inputs, outputs, attrs: { axis, sorted } }, k) => {
    const shape = shapeOf(inputs[0]!);
    const [outer, n, inner] = [numel(shape.slice(0, axis)), shape[axis]!, numel(shape.slice(axis + 1))];
    const [number, values, first, which, counts] = outputs.map((_, i) => k.output(i));
    const x = k.input(0);
    const sizes = [outer, n, inner].map((d) => k.dim(d));
    k.include('ait/gpu/unique.h');
    k.before(cpp`if (${sizes[1]} >= ${2 ** 30}) return ctx.fail("Unique: there are too many elements");`);
    const order = k.scratch(cpp`int32_t`, cpp`${sizes[1]} * 8`);
    const [starts, names] = [0, 1].map(() => k.scratch(cpp`int32_t`, cpp`${sizes[1]} * 4`));
    return [
      {
        body: cpp`
          AIT_SHARED int shared[${threads} / ait::gpu::kWarp];
          const ait::gpu::Slices<${ctype[dtypeOf(inputs[0]!)]}> slices{${x}, ${sizes[0]}, ${sizes[1]}, ${sizes[2]}};
          ait::gpu::unique<${flag(sorted)}>(slices, ${number}, ${first}, ${which}, ${counts}, ${order}, ${starts}, ${names}, shared);
        `,
        grid: [cpp`1`],
        threads,
      },
      elementLoop(
        k,
        [outer, n, inner],
        1,
        [inputs[0]!],
        (i) => cpp`
          if (static_cast<int64_t>(i1) >= *${number}) return;
          ${values}[${i}] = ${x}[(static_cast<int64_t>(i0) * ${sizes[1]} + ${first}[i1]) * ${sizes[2]} + i2];
        `,
      ),
    ];
  },
});
