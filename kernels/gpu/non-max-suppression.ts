import { cpp, join } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { shapeOf } from '../../src/ir/graph.js';
import { boxesCheck, nonMaxSuppressionTraits } from '../shared/boxes.js';
import { flag } from '../shared/elements.js';

const threads = 256;

export const nonMaxSuppressionKernel = defineGpuKernel({
  ...nonMaxSuppressionTraits,
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    const [batch, classes, n] = shapeOf(inputs[1]!).map((d) => k.dim(d));
    k.include('ait/gpu/boxes.h');
    k.before(boxesCheck(node, k));
    k.before(cpp`if (${n} >= ${2 ** 30}) return ctx.fail("NonMaxSuppression: there are too many boxes");`);
    const problems = cpp`${batch} * ${classes}`;
    const order = k.scratch(cpp`int32_t`, cpp`${problems} * ${n} * 8`);
    const kept = k.scratch(cpp`int64_t`, cpp`${problems} * 8`);
    const least = a.scored ? k.input(3) : cpp`nullptr`;
    const fields = [problems, classes!, n!, k.dim(a.limit), cpp`*${k.input(2)}`, least, flag(a.centre)];
    const suppression = cpp`const ait::gpu::Suppression all{${join(fields, ', ')}};`;
    const [x, score] = [k.input(0), k.input(1)];
    return [
      {
        body: cpp`
          AIT_SHARED int shared[${threads} / ait::gpu::kWarp];
          ${suppression}
          const int64_t own = ait::gpu::block_x();
          const int64_t found = ait::gpu::suppress(all, ${x} + own / all.classes * all.n * 4, ${score} + own * all.n, ${order} + own * 2 * all.n, shared);
          if (ait::gpu::thread() == 0) ${kept}[own] = found;
        `,
        grid: [problems],
        threads,
      },
      {
        body: cpp`
          AIT_SHARED int64_t shared[${threads} / ait::gpu::kWarp];
          ${suppression}
          ait::gpu::write_kept(all, ${order}, ${kept}, ${k.output(0)}, ${k.output(1)}, shared);
        `,
        grid: [cpp`${problems} > 0 ? ${problems} : 1`],
        threads,
      },
    ];
  },
});
