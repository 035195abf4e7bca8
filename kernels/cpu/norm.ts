import { Cpp, cpp, number } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, isFloat } from '../../src/ir/type.js';
import { lpNorm } from '../../src/ops/lp-norm.js';
import { groupNorm, layerNorm, rmsNorm } from '../../src/ops/norm.js';
import { channelsOf, spatialOf } from '../../src/ops/window.js';
import { localResponseNormTraits, normTraits } from '../shared/norm.js';

const refuse = ({ inputs }: Pick<Node, 'inputs'>): string | undefined => {
  const t = dtypeOf(inputs[0]!);
  if (!isFloat(t) || bitsOf[t] < 8) return `${t} is not normalised`;
  return t === 'f64' ? 'normalisation computes in f32' : undefined;
};

const read = (k: KernelBuilder, i: number): Cpp =>
  i < k.node.inputs.length ? cpp`ait::read(${k.input(i)})` : cpp`ait::Nothing{}`;

export const layerNormKernel = defineKernel({
  ...normTraits(layerNorm),
  refuse,
  emit: ({ inputs, attrs: { axis, epsilon, stats } }, k) => {
    k.include('ait/norm.h');
    const shape = shapeOf(inputs[0]!);
    const [rows, n] = [k.arg(numel(shape.slice(0, axis))), k.arg(numel(shape.slice(axis)))];
    const statistics = stats ? cpp`, ${k.output(1)}, ${k.output(2)}` : cpp``;
    return cpp`ait::layer_norm(ctx, ${rows}, ${n}, ${number(epsilon, 'f64')}, ${read(k, 0)}, ${read(k, 1)}, ${read(k, 2)}, ait::write(${k.output()})${statistics});`;
  },
});

export const rmsNormKernel = defineKernel({
  ...normTraits(rmsNorm),
  refuse,
  emit: ({ inputs, attrs: { axis, epsilon } }, k) => {
    k.include('ait/norm.h');
    const shape = shapeOf(inputs[0]!);
    const [rows, n] = [k.arg(numel(shape.slice(0, axis))), k.arg(numel(shape.slice(axis)))];
    return cpp`ait::rms_norm(ctx, ${rows}, ${n}, ${number(epsilon, 'f64')}, ${read(k, 0)}, ${read(k, 1)}, ait::write(${k.output()}));`;
  },
});

export const groupNormKernel = defineKernel({
  ...normTraits(groupNorm),
  refuse: (node) => (node.attrs.epilogue ? 'its epilogue is not computed with it' : refuse(node)),
  emit: ({ inputs, attrs: { groups, epsilon, layout = 'NCX' } }, k) => {
    k.include('ait/norm.h');
    const shape = shapeOf(inputs[0]!);
    const [batch, channels] = [k.arg(shape[0]!), k.arg(channelsOf(shape, layout))];
    const space = k.arg(numel(spatialOf(shape, layout)));
    const last = layout === 'NXC';
    const sizes = cpp`${batch}, ${last ? space : channels}, ${last ? channels : space}, ${k.arg(groups)}`;
    return cpp`ait::group_norm${last ? new Cpp('_last') : new Cpp('')}(ctx, ${sizes}, ${number(epsilon, 'f64')}, ${read(k, 0)}, ${read(k, 1)}, ${read(k, 2)}, ait::write(${k.output()}));`;
  },
});

export const lpNormKernel = defineKernel({
  ...normTraits(lpNorm),
  refuse,
  emit: ({ inputs, attrs: { p, axis } }, k) => {
    k.include('ait/norm.h');
    const shape = shapeOf(inputs[0]!);
    const sizes = cpp`${k.arg(numel(shape.slice(0, axis)))}, ${k.arg(shape[axis]!)}, ${k.arg(numel(shape.slice(axis + 1)))}`;
    return cpp`ait::lp_normalize<${p}>(ctx, ${sizes}, ${read(k, 0)}, ait::write(${k.output()}));`;
  },
});

export const localResponseNormKernel = defineKernel({
  ...localResponseNormTraits,
  refuse,
  emit: ({ inputs, attrs: { size, alpha, beta, bias } }, k) => {
    k.include('ait/norm.h');
    const [batch, channels, ...space] = shapeOf(inputs[0]!);
    const sizes = cpp`${k.arg(batch!)}, ${k.arg(channels!)}, ${k.arg(numel(space))}, ${size}`;
    const factors = new Cpp([alpha, beta, bias].map((x) => number(x)).join(', '));
    return cpp`ait::local_response_norm(ctx, ${sizes}, ${factors}, ${read(k, 0)}, ait::write(${k.output()}));`;
  },
});
