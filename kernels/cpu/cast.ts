import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { isFloat } from '../../src/ir/type.js';
import { bitcast, type CastAttrs, cast } from '../../src/ops/cast.js';

export const roundingName = { up: 'Up', down: 'Down', nearest: 'Nearest' } as const;

export function refuseCast({ inputs, attrs }: Pick<Node<CastAttrs>, 'inputs' | 'attrs'>): string | undefined {
  const from = dtypeOf(inputs[0]!);
  return attrs.to === 'f8e8m0' && isFloat(from) && from !== 'f4e2m1'
    ? undefined
    : `there is no cast from ${from} to ${attrs.to} that rounds ${attrs.round}`;
}

export const castKernel = defineKernel({
  op: cast,
  refuse: refuseCast,
  emit: ({ outputs, attrs }, k) => {
    k.include('ait/numeric.h');
    const [x, y] = [k.input(0), k.output()];
    const saturate = new Cpp(String(attrs.saturate));
    const mode = new Cpp(`ait::Rounding::${roundingName[attrs.round]}`);
    return cpp`
      ait::parallel_for(ctx, ${k.arg(numel(shapeOf(outputs[0]!)))}, 16384, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
          ${y}[i] = ait::e8m0_from_f32<${saturate}>(ait::cast_to<float>(${x}[i]), ${mode});
        }
      });
    `;
  },
});

/** The memory serves as it is. */
export const bitcastKernel = defineKernel({ op: bitcast, alias: () => true });
