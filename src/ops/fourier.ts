import { add, type Dim, eq, floordiv, max, mul, select, sub } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Build, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';
import { atAxis, frontAxis } from './strides.js';

const bins = (n: Dim): Dim => add(floordiv(n, 2), 1);

/** Samples have one part, or a real and an imaginary one, along the last axis. */
function partsOf(t: TensorType): number {
  const parts = t.shape.at(-1);
  if (parts !== 1 && parts !== 2)
    throw new CompileError('bad-signal', 'the last axis of a signal must have 1 or 2 elements');
  return parts;
}

/**
 * The discrete Fourier transform of `length` samples along an axis, which may only be known at run time.
 * One-sided: the first half of the spectrum of a real signal; inverse and one-sided: the real signal of
 * such a half.
 */
export const dft: OpDef<{ axis: Dim; length: Dim; inverse: boolean; oneSided: boolean }> = defineOp({
  name: 'dft',
  infer: ([x], { axis, length, inverse, oneSided }) => {
    partsOf(x!);
    const along = oneSided && !inverse ? bins(length) : length;
    const shape = x!.shape.slice(0, -1).map((d, i) => select(eq(axis, i), along, d));
    return tensor(x!.dtype, [...shape, oneSided && inverse ? 1 : 2]);
  },
  onnx: {
    DFT: {
      17: (n, b) => transformed(n, b, n.int('axis', 1)),
      20: (n, b) => {
        const axis = n.optional(2);
        return transformed(n, b, axis ? n.dims(axis)[0]! : -2);
      },
    },
  },
  toOnnx: ({ attrs: a }, [x], e) =>
    e.one('DFT', [x, e.dim(a.length), e.dim(a.axis)], { inverse: int(a.inverse), onesided: int(a.oneSided) }),
});

function transformed(n: SourceNode, b: Build, axis: Dim): Value {
  const x = n.input(0);
  const shape = shapeOf(x);
  const at = typeof axis === 'number' ? axisOf(axis, shape.length) : frontAxis(axis, shape.length);
  if (at === shape.length - 1)
    throw new CompileError('bad-axis', 'the last axis of a signal is not transformed');
  const [inverse, oneSided] = [n.int('inverse', 0) === 1, n.int('onesided', 0) === 1];
  const given = n.optional(1);
  const own = atAxis(at, shape.slice(0, -1));
  const length = given ? n.dims(given)[0]! : inverse && oneSided ? mul(2, sub(own, 1)) : own;
  return b(dft, [x], { axis: at, length, inverse, oneSided });
}

/** The spectra of overlapping frames. Inputs: the signal, and optionally a window of `window` weights. */
export const stft: OpDef<{ step: Dim; length: Dim; window: Dim; oneSided: boolean }> = defineOp({
  name: 'stft',
  infer: ([x, window], { step, length, oneSided }) => {
    partsOf(x!);
    if (x!.shape.length !== 3) throw new CompileError('bad-signal', 'STFT takes signals of rank 3');
    if (window) sameDtype('stft', [x!, window]);
    const [batch, samples] = x!.shape;
    const frames = max(add(floordiv(sub(samples!, length), step), 1), 0);
    return tensor(x!.dtype, [batch!, frames, oneSided ? bins(length) : length, 2]);
  },
  onnx: {
    STFT: {
      17: (n, b) => {
        const [x, window, given] = [n.input(0), n.optional(2), n.optional(3)];
        const size = window && shapeOf(window)[0]!;
        const length = given ? n.dims(given)[0]! : (size ?? shapeOf(x)[1]!);
        return b(stft, window ? [x, window] : [x], {
          step: n.dims(n.input(1))[0]!,
          length,
          window: size ?? length,
          oneSided: n.int('onesided', 1) === 1,
        });
      },
    },
  },
  toOnnx: ({ attrs: a }, [x, window], e) =>
    e.one('STFT', [x, e.dim(a.step), window, e.dim(a.length)], { onesided: int(a.oneSided) }),
});
