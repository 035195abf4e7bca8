import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { cumulate } from '../../src/ops/cumulate.js';
import { topK } from '../../src/ops/top-k.js';
import { aroundAxis, sumType } from '../cpu/order.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';

const threads = 256;

export const topKKernel = defineGpuKernel({
  op: topK,
  refuse: refuseTypes,
  work: ({ inputs }) => mul(8, numel(shapeOf(inputs[0]!))),
  emit: ({ inputs, attrs: a }, k) => {
    const x = inputs[0]!;
    const [outer, axis, inner] = aroundAxis(shapeOf(x), a.axis).map((d) => k.dim(d));
    const count = k.dim(a.k);
    const E = ctype[computeType(dtypeOf(x))];
    k.before(
      cpp`if (${count} < 0 || ${count} > ${axis}) return ctx.fail("TopK: more elements are asked for than there are");`,
    );
    k.include('ait/gpu/select.h');
    return {
      body: cpp`
        AIT_SHARED ${E} best[${threads} / 32];
        AIT_SHARED int64_t best_at[${threads} / 32];
        ait::gpu::top_k<${new Cpp(String(a.largest))}>(ait::gpu::block_x(), ${axis}, ${inner}, ${count}, ${k.input(0)}, ${k.output(0)}, ${k.output(1)}, best, best_at);
      `,
      grid: [cpp`${outer} * ${inner}`],
      threads,
    };
  },
});

export const cumulateKernel = defineGpuKernel({
  op: cumulate,
  refuse: refuseTypes,
  emit: ({ inputs, outputs, attrs: a }, k) => {
    const x = inputs[0]!;
    const [outer, axis, inner] = aroundAxis(shapeOf(x), a.axis);
    const op = new Cpp(a.kind === 'sum' ? 'ait::gpu::AddOf' : 'ait::gpu::MulOf');
    const E = sumType(dtypeOf(x));
    const [exclusive, reverse] = [a.exclusive, a.reverse].map((b) => new Cpp(String(b)));
    k.include('ait/gpu/select.h');
    return elementLoop(
      k,
      [outer, inner],
      1,
      [x, ...outputs],
      (i) =>
        cpp`ait::gpu::scan_column<${op}, ${E}>(${i}, ${k.dim(axis)}, ${k.dim(inner)}, ${exclusive!}, ${reverse!}, static_cast<${E}>(${a.kind === 'sum' ? 0 : 1}), ${k.input(0)}, ${k.output()});`,
    );
  },
});
