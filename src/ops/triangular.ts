import type { Dim } from '../ir/dim.js';
import { dtypeOf, shapeOf } from '../ir/graph.js';
import { type DType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { dtypeAttr } from './onnx-dtype.js';
import { dtype, int } from './onnx-emitter.js';
import { defineOp, type OpDef } from './op.js';

/** Keeps the elements of each matrix on and above (or below) its k-th diagonal; the others become 0. */
export const trilu: OpDef<{ k: Dim; upper: boolean }> = defineOp({
  name: 'trilu',
  infer: ([x]) => {
    if (x!.shape.length < 2) throw new CompileError('bad-rank', 'a triangle needs a matrix');
    return x!;
  },
  onnx: {
    Trilu: {
      14: (n, b) => {
        const k = n.optional(1);
        return b(trilu, [n.input(0)], { k: k ? n.dims(k)[0]! : 0, upper: n.int('upper', 1) === 1 });
      },
    },
  },
  toOnnx: ({ attrs }, [x], e) => e.one('Trilu', [x, e.dim(attrs.k)], { upper: int(attrs.upper) }),
});

/** A matrix of zeros with ones on the k-th diagonal. */
export const eye: OpDef<{ rows: Dim; columns: Dim; k: number; dtype: DType }> = defineOp({
  name: 'eye',
  infer: (_, a) => tensor(a.dtype, [a.rows, a.columns]),
  onnx: {
    EyeLike: {
      9: (n, b) => {
        const x = n.input(0);
        const [rows, columns, ...more] = shapeOf(x);
        if (rows === undefined || columns === undefined || more.length > 0)
          throw new CompileError('bad-rank', 'EyeLike takes a matrix');
        const asked = dtypeAttr(n, 'dtype') ?? dtypeOf(x);
        return b(eye, [], { rows, columns, k: n.int('k', 0), dtype: asked });
      },
    },
  },
  toOnnx: ({ attrs: a }, _, e) =>
    e.one('EyeLike', [e.one('ConstantOfShape', [e.dims([a.rows, a.columns])])], {
      k: int(a.k),
      dtype: dtype(a.dtype),
    }),
});
