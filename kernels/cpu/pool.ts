import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import { maxUnpool } from '../../src/ops/max-unpool.js';
import type { PoolAttrs } from '../../src/ops/pool.js';
import { channelsOf } from '../../src/ops/window.js';
import { flag } from '../shared/elements.js';
import { poolTraits } from '../shared/pool.js';
import { padFront, windowExtents } from '../shared/window.js';

type Pool = Node<PoolAttrs>;

export const poolKernel = defineKernel({
  ...poolTraits,

  refuse: ({ inputs, attrs }) => {
    const t = dtypeOf(inputs[0]!);
    if (bitsOf[t] < 8 || /^(f8|c|bool|string)/.test(t)) return `${t} has no pooling kernel`;
    if (attrs.kernel.length > 3) return 'it has more than three spatial axes';
    return attrs.indices && attrs.layout === 'NXC' ? 'indices count channels first' : undefined;
  },

  emit: (node, k) => {
    k.include('ait/pooling.h');
    const { attrs } = node;
    const t = dtypeOf(node.inputs[0]!);
    const compute = ctype[computeType(t)];
    const window = windowText(node, k);
    if (attrs.indices) {
      const column = flag(attrs.indices === 'column');
      return cpp`
        ${window}
        ait::max_pool_indices<${compute}>(ctx, w, ${column}, ${k.input(0)}, ${k.output(0)}, ${k.output(1)});
      `;
    }
    const combine = {
      max: cpp`ait::MaxPool`,
      average: cpp`ait::AveragePool`,
      lp: cpp`ait::LpPool<${attrs.p}>`,
    }[attrs.kind];
    const order = attrs.layout === 'NXC' ? cpp`last` : cpp`first`;
    return cpp`
      ${window}
      ait::pool_channels_${order}<${combine}, ${compute}>(ctx, w, ${k.input(0)}, ${k.output()});
    `;
  },
});

function windowText(node: Pool, k: KernelBuilder): Cpp {
  const { pads, kernel, layout, countPadding } = node.attrs;
  const x = shapeOf(node.inputs[0]!);
  const three = (xs: Shape): Cpp => {
    const extents = xs.map((d) => k.fresh(d));
    return cpp`{${join(extents, ', ')}}`;
  };
  const fields = [
    k.fresh(x[0]!),
    k.fresh(channelsOf(x, layout)),
    ...windowExtents(node, 3).map(three),
    three(padFront(pads.slice(kernel.length), 3, 0)),
    flag(countPadding),
  ];
  return cpp`const ait::Window w{${join(fields, ', ')}};`;
}

export const maxUnpoolKernel = defineKernel({
  op: maxUnpool,
  refuse: ({ inputs }) => (bitsOf[dtypeOf(inputs[0]!)] < 8 ? 'packed elements are not unpooled' : undefined),
  work: ({ outputs }) => numel(shapeOf(outputs[0]!)),
  emit: ({ inputs, outputs }, k) => {
    k.include('ait/pooling.h');
    const [n, size] = [k.fresh(numel(shapeOf(inputs[0]!))), k.fresh(numel(shapeOf(outputs[0]!)))];
    return cpp`
      if (!ait::max_unpool(${k.input(0)}, ${k.input(1)}, ${n}, ${k.output()}, ${size})) ctx.fail("an index is out of range");
    `;
  },
});
