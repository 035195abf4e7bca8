import { cpp, join } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { melWeights, windowFunction } from '../../src/ops/window-function.js';
import { flag, listOf, nullPointer, refuseNoFloat, refusePacked } from '../shared/elements.js';
import {
  dftCheck,
  dftSizes,
  dftTraits,
  stftSizes,
  stftTraits,
  windowCoefficients,
} from '../shared/signal.js';

export const dftKernel = defineKernel({
  ...dftTraits,
  refuse: refuseNoFloat,
  emit: (node, k) => {
    k.include('ait/signal.h');
    return cpp`
      ${dftCheck(node, k)}
      const ait::DftShape shape = {${listOf(k, dftSizes(node))}};
      ait::dft(ctx, ${k.output()}, ${k.input(0)}, shape, ${flag(node.attrs.inverse)});
    `;
  },
});

export const stftKernel = defineKernel({
  ...stftTraits,
  refuse: refuseNoFloat,
  emit: (node, k) => {
    const { inputs } = node;
    const window = inputs.length > 1 ? k.input(1) : nullPointer(inputs[0]!);
    k.include('ait/signal.h');
    return cpp`
      const ait::StftShape shape = {${listOf(k, stftSizes(node))}};
      ait::stft(ctx, ${k.output()}, ${k.input(0)}, ${window}, shape);
    `;
  },
});

export const windowFunctionKernel = defineKernel({
  op: windowFunction,
  refuse: refusePacked,
  emit: ({ attrs: a }, k) => {
    k.include('ait/signal.h');
    return cpp`ait::cosine_window(ctx, ${k.output()}, ${k.arg(a.size)}, ${flag(a.periodic)}, ${windowCoefficients(a)});`;
  },
});

export const melWeightsKernel = defineKernel({
  op: melWeights,
  refuse: refuseNoFloat,
  emit: ({ attrs: a }, k) => {
    k.include('ait/signal.h');
    const edges = [0, 1].map((i) => cpp`ait::cast_to<double>(*${k.input(i)})`);
    return cpp`ait::mel_weights(ctx, ${k.output()}, ${listOf(k, [a.mels, a.length, a.rate])}, ${join(edges, ', ')});`;
  },
});
