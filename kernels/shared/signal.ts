import { type Cpp, cpp, join, number } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { dft, stft } from '../../src/ops/fourier.js';
import { atAxis } from '../../src/ops/strides.js';
import { type windowFunction, windows } from '../../src/ops/window-function.js';
import { type Arguments, type Ends, failUnless } from './elements.js';

type Dft = NodeOf<typeof dft>;

/** A transform's cost, as that of one by radices. */
const work = ({ outputs }: Pick<Ends, 'outputs'>): Dim => mul(40, numel(shapeOf(outputs[0]!)));

export const dftTraits = defineTraits({ op: dft, work });

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
export function dftCheck({ inputs, attrs: { axis, length } }: Dft, k: Arguments): Cpp {
  const last = shapeOf(inputs[0]!).length - 1;
  const inside = typeof axis === 'number' ? [] : [cpp`${k.arg(axis)} < ${last}`];
  return cpp`
    ${failUnless(inside, 'DFT: the last axis is not transformed')}
    ${failUnless([cpp`${k.arg(length)} > 0`], 'DFT: the length is not positive')}
  `;
}

export const stftTraits = defineTraits({ op: stft, work });

/** The fields of an ait::StftShape. */
export function stftSizes({ inputs, outputs, attrs: a }: NodeOf<typeof stft>): Shape {
  const to = shapeOf(outputs[0]!);
  return [...shapeOf(inputs[0]!), a.step, to[1]!, a.window, a.length, to[2]!];
}

/** The coefficients of a window that is a sum of cosines. */
export const windowCoefficients = ({ kind }: NodeOf<typeof windowFunction>['attrs']): Cpp =>
  join(
    windows[kind].map((x) => number(x, 'f64')),
    ', ',
  );
