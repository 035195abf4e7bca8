import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { maxUnpool } from '../../src/ops/max-unpool.js';
import type { PoolAttrs } from '../../src/ops/pool.js';
import { channelsOf } from '../../src/ops/window.js';
import { flag } from '../shared/elements.js';
import { poolTraits } from '../shared/pool.js';
import { padFront, windowExtents } from '../shared/window.js';
import { indexType } from './index-text.js';
import { refuseTypes } from './pointwise.js';
import { vectorWidth } from './vector-width.js';

export const poolKernel = defineGpuKernel({
  ...poolTraits,

  refuse: (node) => {
    const { inputs, attrs } = node;
    if (dtypeOf(inputs[0]!) === 'bool') return 'bool has no pooling kernel';
    if (attrs.kernel.length > 3) return 'it has more than three spatial axes';
    if (attrs.indices && attrs.layout === 'NXC') return 'indices count channels first';
    return refuseTypes(node);
  },

  emit: (node, k) => {
    k.include('ait/gpu/pool.h');
    const { attrs } = node;
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    const t = dtypeOf(x);
    const element = ctype[computeType(t)];
    const window = windowText(node, k);
    const ends = cpp`ait::gpu::read(${k.input(0)}), ait::gpu::write(${k.output()})`;
    const threads = 256;
    const grid = (each: number): Cpp[] => [
      cpp`ait::gpu::blocks(${k.fresh(numel(shapeOf(y)))}, ${threads * each})`,
    ];
    if (attrs.indices) {
      const column = flag(attrs.indices === 'column');
      return {
        body: cpp`
          ${window}
          ait::gpu::max_pool_indices<${element}, ${column}>(w, ${ends}, ${k.output(1)});
        `,
        grid: grid(1),
        threads,
      };
    }
    const combine = {
      max: cpp`ait::gpu::MaxPool<${element}>`,
      average: cpp`ait::gpu::AveragePool<${element}>`,
      lp: cpp`ait::gpu::LpPool<${element}, ${attrs.p}>`,
    }[attrs.kind];
    const types = cpp`${combine}, ${element}, ${indexType(shapeOf(y))}`;
    const vector = attrs.layout === 'NXC' ? Math.min(8, vectorWidth([t], channelsOf(shapeOf(x), 'NXC'))) : 1;
    const run =
      attrs.layout === 'NXC'
        ? cpp`ait::gpu::pool_channels_last<${types}, ${vector}>(w, ${ends});`
        : cpp`ait::gpu::pool_channels_first<${types}>(w, ${ends});`;
    return {
      body: cpp`
        ${window}
        ${run}
      `,
      grid: grid(vector),
      threads,
    };
  },
});

/** Extents are parameters; what the attributes say is part of the text. */
function windowText(node: Node<PoolAttrs>, k: GpuBuilder): Cpp {
  const { pads, kernel, layout, countPadding } = node.attrs;
  const x = shapeOf(node.inputs[0]!);
  const three = (xs: Shape, name: (d: Dim) => Cpp): Cpp => cpp`{${join(xs.map(name), ', ')}}`;
  const literal = (d: Dim): Cpp => cpp`static_cast<int>(${k.dim(d)})`;
  const fresh = (d: Dim): Cpp => (d === 1 ? cpp`1` : cpp`static_cast<int>(${k.fresh(d)})`);
  const [from, to, ...window] = windowExtents(node, 3);
  const fields = [
    k.fresh(x[0]!),
    k.fresh(channelsOf(x, layout)),
    three(from, fresh),
    three(to, fresh),
    ...[...window, padFront(pads.slice(kernel.length), 3, 0)].map((xs) => three(xs, literal)),
    flag(countPadding),
  ];
  return cpp`const ait::gpu::Window w{${join(fields, ', ')}};`;
}

export const maxUnpoolKernel = defineGpuKernel({
  op: maxUnpool,
  refuse: refuseTypes,
  emit: ({ inputs, outputs }, k) => {
    const [n, size] = [k.fresh(numel(shapeOf(inputs[0]!))), k.fresh(numel(shapeOf(outputs[0]!)))];
    const threads = 256;
    const place = cpp`const int64_t i = static_cast<int64_t>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread();`;
    const y = k.output();
    return [
      {
        body: cpp`
          ${place}
          if (i < ${size}) ${y}[i] = {};
        `,
        grid: [cpp`ait::gpu::blocks(${size}, ${threads})`],
        threads,
      },
      {
        body: cpp`
          ${place}
          if (i >= ${n}) return;
          const int64_t at = ${k.input(1)}[i];
          if (at < 0 || at >= ${size}) {
            ${k.fail('MaxUnpool: an index is out of range')}
            return;
          }
          ${y}[at] = ${k.input(0)}[i];
        `,
        grid: [cpp`ait::gpu::blocks(${n}, ${threads})`],
        threads,
      },
    ];
  },
});
