import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { flag } from '../shared/elements.js';
import { type Spatial, windowExtents } from '../shared/window.js';

/** A convolution in any layout, one result a thread. */
export function directConv(
  node: Spatial,
  k: GpuBuilder,
  epilogue: Cpp,
  transposed: boolean,
  factors?: Cpp,
): Launch {
  k.include('ait/gpu/conv_direct.h');
  const { attrs, inputs, outputs } = node;
  const [x, w, y] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!), shapeOf(outputs[0]!)];
  const perGroup = (d: Dim): Cpp => cpp`${k.fresh(d)} / ${attrs.groups}`;
  const fields = [
    k.fresh(x[0]!),
    transposed ? perGroup(w[0]!) : k.fresh(w[1]!),
    transposed ? k.fresh(w[1]!) : perGroup(w[0]!),
    k.fresh(attrs.groups),
    ...windowExtents(node).map((xs) => {
      const extents = xs.map((d) => k.fresh(d));
      return cpp`{${join(extents, ', ')}}`;
    }),
  ];
  return {
    body: cpp`
      const ait::gpu::DirectShape shape = {${join(fields, ', ')}};
      ait::gpu::direct_conv<${attrs.kernel.length}, ${flag(attrs.layout === 'NXC')}, ${flag(transposed)}>(shape, ${k.input(0)}, ${k.input(1)}, ${k.output()}, ${epilogue}${factors && cpp`, ${factors}`});
    `,
    grid: [cpp`ait::gpu::blocks(${k.fresh(numel(y))}, 256)`],
    threads: 256,
  };
}
