import { shapeOf } from '../ir/graph.js';
import { CompileError } from '../support/diagnostic.js';
import { float, int } from './onnx-emitter.js';
import { axisOf, defineOp, type OpDef } from './op.js';

/** Divides by the L1 or L2 norm along an axis; where the norm is 0 the result is. */
export const lpNorm: OpDef<{ p: number; axis: number }> = defineOp({
  name: 'lp_norm',
  infer: ([x], { p, axis }) => {
    axisOf(axis, x!.shape.length);
    if (p !== 1 && p !== 2) throw new CompileError('bad-attribute', `there is no L${p} normalization`);
    return x!;
  },
  onnx: {
    LpNormalization: {
      1: (n, b) =>
        b(lpNorm, [n.input(0)], {
          p: n.int('p', 2),
          axis: axisOf(n.int('axis', -1), shapeOf(n.input(0)).length),
        }),
    },
  },
  toOnnx: ({ attrs }, [x], e) => e.one('LpNormalization', [x], { p: int(attrs.p), axis: int(attrs.axis) }),
});

/** Divides each element by a power of the squares of its neighbours among the channels of [N, C, ...]. */
export const localResponseNorm: OpDef<{ size: number; alpha: number; beta: number; bias: number }> = defineOp(
  {
    name: 'local_response_norm',
    infer: ([x], { size }) => {
      if (size < 1 || x!.shape.length < 2)
        throw new CompileError('bad-attribute', `a window of ${size} channels of rank ${x!.shape.length}`);
      return x!;
    },
    onnx: {
      LRN: {
        1: (n, b) =>
          b(localResponseNorm, [n.input(0)], {
            size: n.int('size'),
            alpha: n.float('alpha', 1e-4),
            beta: n.float('beta', 0.75),
            bias: n.float('bias', 1),
          }),
      },
    },
    toOnnx: ({ attrs: { size, alpha, beta, bias } }, [x], e) =>
      e.one('LRN', [x], { size: int(size), alpha: float(alpha), beta: float(beta), bias: float(bias) }),
  },
);
