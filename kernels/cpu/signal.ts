import { type Cpp, cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { dft, stft } from '../../src/ops/fourier.js';
import { atAxis } from '../../src/ops/strides.js';
import { melWeights, windowFunction, windows } from '../../src/ops/window-function.js';
import { failUnless, flag, listOf, refuseNoFloat, refusePacked } from '../shared/elements.js';

/** A transform's cost, as that of one by radices. */
const transforms = (count: Dim, length: Dim): Dim => mul(count, length, 40);

type Dft = Parameters<typeof dft.toOnnx>[0];

/** The fields of an ait::DftShape. */
export function dftSizes({ inputs, outputs, attrs: { axis, length } }: Dft): Shape {
  const [from, to] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
  const axes = from.slice(0, -1);
  const part = (f: (d: number) => Shape): Dim =>
    atAxis(
      axis,
      axes.map((_, d) => numel(f(d))),
    );
  return [
    part((d) => axes.slice(0, d)),
    part((d) => [axes[d]!]),
    part((d) => axes.slice(d + 1)),
    from.at(-1)!,
    length,
    part((d) => [to[d]!]),
    to.at(-1)!,
  ];
}

/** Fails a transform along an axis, or of a length, that turns out to be none. */
export function dftCheck({ inputs, attrs: { axis, length } }: Dft, arg: (d: Dim) => Cpp): Cpp {
  const last = shapeOf(inputs[0]!).length - 1;
  const inside = typeof axis === 'number' ? [] : [cpp`${arg(axis)} < ${last}`];
  return cpp`
    ${failUnless(inside, 'DFT: the last axis is not transformed')}
    ${failUnless([cpp`${arg(length)} > 0`], 'DFT: the length is not positive')}
  `;
}

export const dftKernel = defineKernel({
  op: dft,
  refuse: refuseNoFloat,
  work: ({ outputs }) => transforms(numel(shapeOf(outputs[0]!)), 1),
  emit: (node, k) => {
    k.include('ait/signal.h');
    return cpp`
      ${dftCheck(node, (d) => k.arg(d))}
      const ait::DftShape shape = {${listOf(k, dftSizes(node))}};
      ait::dft(ctx, ${k.output()}, ${k.input(0)}, shape, ${flag(node.attrs.inverse)});
    `;
  },
});

/** The fields of an ait::StftShape. */
export function stftSizes({ inputs, outputs, attrs: a }: Parameters<typeof stft.toOnnx>[0]): Shape {
  const to = shapeOf(outputs[0]!);
  return [...shapeOf(inputs[0]!), a.step, to[1]!, a.window, a.length, to[2]!];
}

export const stftKernel = defineKernel({
  op: stft,
  refuse: refuseNoFloat,
  work: ({ outputs }) => transforms(numel(shapeOf(outputs[0]!)), 1),
  emit: (node, k) => {
    const { inputs } = node;
    const window =
      inputs.length > 1 ? k.input(1) : cpp`static_cast<const ${ctype[dtypeOf(inputs[0]!)]}*>(nullptr)`;
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
    const coefficients = join(
      windows[a.kind].map((x) => number(x, 'f64')),
      ', ',
    );
    return cpp`ait::cosine_window(ctx, ${k.output()}, ${k.arg(a.size)}, ${flag(a.periodic)}, ${coefficients});`;
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
