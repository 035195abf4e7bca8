import { add, type Dim, floordiv } from '../ir/dim.js';
import { type DType, isFloat, tensor } from '../ir/type.js';
import { dtypeAttr } from './onnx-dtype.js';
import { dtype, int } from './onnx-emitter.js';
import { type Converter, defineOp, type OpDef } from './op.js';

/** Coefficients a, b, c of a - b cos(2 pi i / n) + c cos(4 pi i / n). */
export const windows = {
  Hann: [0.5, 0.5, 0],
  Hamming: [25 / 46, 21 / 46, 0],
  Blackman: [0.42, 0.5, 0.08],
} as const;

/** The weights of a cosine window, for spectral analysis. */
export const windowFunction: OpDef<{
  kind: keyof typeof windows;
  size: Dim;
  periodic: boolean;
  dtype: DType;
}> = defineOp({
  name: 'window_function',
  infer: (_, a) => tensor(a.dtype, [a.size]),
  onnx: {
    HannWindow: { 17: convert('Hann') },
    HammingWindow: { 17: convert('Hamming') },
    BlackmanWindow: { 17: convert('Blackman') },
  },
  toOnnx: ({ attrs: a }, _, e) =>
    e.one(`${a.kind}Window`, [e.dim(a.size)], {
      periodic: int(a.periodic),
      output_datatype: dtype(a.dtype),
    }),
});

function convert(kind: keyof typeof windows): Converter {
  return (n, b) =>
    b(windowFunction, [], {
      kind,
      size: n.dims(n.input(0))[0]!,
      periodic: n.int('periodic', 1) === 1,
      dtype: dtypeAttr(n, 'output_datatype') ?? 'f32',
    });
}

/** Mel filters: [length / 2 + 1, mels]. Inputs: the lower and the upper edge in hertz. */
export const melWeights: OpDef<{ mels: Dim; length: Dim; rate: Dim; dtype: DType }> = defineOp({
  name: 'mel_weights',
  infer: (_, a) => tensor(a.dtype, [add(floordiv(a.length, 2), 1), a.mels]),
  onnx: {
    MelWeightMatrix: {
      17: (n, b) => {
        const [mels, length, rate] = [0, 1, 2].map((i) => n.dims(n.input(i))[0]!) as [Dim, Dim, Dim];
        const type = dtypeAttr(n, 'output_datatype') ?? 'f32';
        if (!isFloat(type)) n.decline(`mel weights in ${type}`);
        return b(melWeights, [n.input(3), n.input(4)], { mels, length, rate, dtype: type });
      },
    },
  },
  toOnnx: ({ attrs: a }, [low, high], e) =>
    e.one('MelWeightMatrix', [e.dim(a.mels), e.dim(a.length), e.dim(a.rate), low, high], {
      output_datatype: dtype(a.dtype),
    }),
});
