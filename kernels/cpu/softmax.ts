import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, isFloat } from '../../src/ir/type.js';
import { softmaxTraits } from '../shared/norm.js';

export const softmaxKernel = defineKernel({
  ...softmaxTraits,

  refuse: ({ inputs, attrs }) => {
    const t = dtypeOf(inputs[0]!);
    if (!isFloat(t) || bitsOf[t] < 8) return `there is no softmax of ${t}`;
    return t === 'f64' && attrs.form !== 'hardmax' ? 'softmax computes in f32' : undefined;
  },

  emit: ({ inputs, attrs: { form, axis } }, k) => {
    k.include('ait/softmax.h');
    const shape = shapeOf(inputs[0]!);
    const sizes = [numel(shape.slice(0, axis)), shape[axis]!, numel(shape.slice(axis + 1))].map((d) =>
      k.arg(d),
    );
    const kind = {
      softmax: 'softmax<ait::SoftmaxKind::Softmax>',
      log: 'softmax<ait::SoftmaxKind::LogSoftmax>',
      hardmax: 'hardmax',
    }[form];
    return cpp`ait::${new Cpp(kind)}(ctx, ${sizes[0]}, ${sizes[1]}, ${sizes[2]}, ait::read(${k.input(0)}), ait::write(${k.output()}));`;
  },
});
