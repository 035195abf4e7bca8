import { type Dim, min, numel } from '../ir/dim.js';
import { shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { int } from './onnx-emitter.js';
import { axisOf, defineOp, type OpDef } from './op.js';
import { reshape } from './reshape.js';

/** How many elements are not 0. */
export const nonzeroCount: OpDef = defineOp({
  name: 'nonzero_count',
  infer: () => tensor('i64', [1]),
  toOnnx: (_, [x], e) =>
    e.one('Slice', [
      e.one('Shape', [e.one('NonZero', [x])]),
      ...[1, 2].map((i) => e.constant('i64', [1], [i])),
    ]),
});

/** The indices of the elements that are not 0, one column for each. */
export const nonzero: OpDef<{ count: Dim }> = defineOp({
  name: 'nonzero',
  infer: ([x], { count }) => tensor('i64', [x!.shape.length, count]),
  onnx: {
    NonZero: {
      9: (n, b) => {
        const x = n.input(0);
        if (shapeOf(x).length === 0) n.decline('NonZero of a scalar');
        const count = b(nonzeroCount, [x], {});
        return b(nonzero, [x], { count: n.bind(count, 0, 'nonzero', numel(shapeOf(x))) });
      },
    },
  },
  toOnnx: (_, [x], e) => e.one('NonZero', [x]),
});

/** How many of the first `limit` conditions hold. */
export const compressCount: OpDef<{ limit: Dim }> = defineOp({
  name: 'compress_count',
  infer: () => tensor('i64', [1]),
  toOnnx: (_, [condition], e) =>
    e.one('Shape', [e.one('Compress', [condition, condition], { axis: int(0) })]),
});

/** The slices along an axis whose condition holds. Inputs: the tensor, the conditions. */
export const compress: OpDef<{ axis: number; count: Dim }> = defineOp({
  name: 'compress',
  infer: ([x, condition], { axis, count }) => {
    if (condition!.dtype !== 'bool' || condition!.shape.length !== 1)
      throw new CompileError('type-mismatch', 'the conditions are not a vector of bool');
    return tensor(
      x!.dtype,
      x!.shape.map((d, i) => (i === axis ? count : d)),
    );
  },
  onnx: {
    Compress: {
      9: (n, b) => {
        const given = n.input(0);
        const condition = n.input(1);
        const flat = !n.has('axis');
        const x = flat ? b(reshape, [given], { shape: [numel(shapeOf(given))] }) : given;
        const axis = flat ? 0 : axisOf(n.int('axis'), shapeOf(x).length);
        const limit = min(shapeOf(x)[axis]!, shapeOf(condition)[0] ?? 1);
        const count = b(compressCount, [condition], { limit });
        return b(compress, [x, condition], { axis, count: n.bind(count, 0, 'compressed', limit) });
      },
    },
  },
  toOnnx: ({ attrs }, inputs, e) => e.one('Compress', inputs, { axis: int(attrs.axis) }),
});
