import { add, max, mul, type Shape, same, sub } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import { pad } from './pad.js';

/** Zeros of a shape with the elements of the first input at the flat positions of the second. */
export const maxUnpool: OpDef<{ shape: Shape }> = defineOp({
  name: 'max_unpool',

  infer: ([x, indices], { shape }) => {
    if (indices!.dtype !== 'i64') throw new CompileError('type-mismatch', 'indices are not int64');
    if (shape.length !== x!.shape.length || indices!.shape.length !== x!.shape.length)
      throw new CompileError('bad-shape', 'max_unpool takes tensors of one rank');
    return tensor(x!.dtype, shape);
  },

  onnx: { MaxUnpool: { 9: convert } },

  toOnnx: ({ attrs }, [x, indices], e) => {
    const flat = e.constant('i64', [1], [-1]);
    const size = e.dims([attrs.shape.reduce((a, b) => mul(a, b), 1)]);
    const zero = e.one('CastLike', [e.constant('f32', [], [0]), x]);
    const zeros = e.one('Expand', [zero, size]);
    const updates = e.one('Reshape', [x, flat]);
    const y = e.one('ScatterElements', [zeros, e.one('Reshape', [indices, flat]), updates]);
    return e.one('Reshape', [y, e.dims(attrs.shape)]);
  },
});

/** The indices count in the shape that kernel, strides and pads imply; a larger one asked for is filled up. */
function convert(n: SourceNode, b: Build): Value {
  const x = n.input(0);
  const [batch, channels, ...spatial] = shapeOf(x);
  const kernel = n.ints('kernel_shape');
  const strides = n.ints(
    'strides',
    spatial.map(() => 1),
  );
  const pads = n.ints(
    'pads',
    spatial.flatMap(() => [0, 0]),
  );
  const implied = spatial.map((d, i) =>
    max(0, add(mul(add(d, -1), strides[i]!), kernel[i]! - pads[i]! - pads[i + spatial.length]!)),
  );
  const shape = [batch!, channels!, ...implied];
  const y = b(maxUnpool, [x, n.input(1)], { shape });
  const asked = n.optional(2) && n.dims(n.input(2));
  if (!asked || asked.every((d, i) => same(d, shape[i]!))) return y;
  const after = asked.map((d, i) => (i < 2 ? 0 : sub(d, shape[i]!)));
  return b(pad, [y], { before: shape.map(() => 0), after, mode: 'constant' });
}
