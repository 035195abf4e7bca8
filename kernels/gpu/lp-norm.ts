import { cpp } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { lpNorm } from '../../src/ops/lp-norm.js';
import { localResponseNormTraits, normTraits } from '../shared/norm.js';
import { read, refuseNorm, write } from './norm-operands.js';
import { vectorWidth } from './vector-width.js';

export const lpNormKernel = defineGpuKernel({
  ...normTraits(lpNorm),
  refuse: refuseNorm,
  emit: ({ inputs, attrs: { p, axis } }, k) => {
    k.include('ait/gpu/lp_norm.h');
    const shape = shapeOf(inputs[0]!);
    const [outer, inner] = [numel(shape.slice(0, axis)), numel(shape.slice(axis + 1))];
    const [rows, n] = [k.arg(outer), k.arg(shape[axis]!)];
    if (inner === 1)
      return {
        body: cpp`ait::gpu::lp_norm_rows<${p}, 128, ${vectorWidth([dtypeOf(inputs[0]!)], shape[axis]!)}>(${n}, ${read(k, 0)}, ${write(k)});`,
        grid: [rows],
        threads: 128,
      };
    const columns = k.arg(inner);
    return {
      body: cpp`ait::gpu::lp_norm_columns<${p}>(${rows}, ${n}, ${columns}, ${read(k, 0)}, ${write(k)});`,
      grid: [cpp`ait::gpu::blocks(${rows} * ${columns}, 128)`],
      threads: 128,
    };
  },
});

export const localResponseNormKernel = defineGpuKernel({
  ...localResponseNormTraits,
  refuse: refuseNorm,
  emit: ({ inputs, attrs: { size, alpha, beta, bias } }, k) => {
    k.include('ait/gpu/lp_norm.h');
    const [batch, channels, ...space] = shapeOf(inputs[0]!);
    const [n, c, s] = [k.arg(batch!), k.arg(channels!), k.arg(numel(space))];
    const factors = cpp`${size}, ${k.number(alpha)}, ${k.number(beta)}, ${k.number(bias)}`;
    return {
      body: cpp`ait::gpu::local_response_norm(${n}, ${c}, ${s}, ${factors}, ${read(k, 0)}, ${write(k)});`,
      grid: [cpp`ait::gpu::blocks(${n} * ${c} * ${s}, 256)`],
      threads: 256,
    };
  },
});
