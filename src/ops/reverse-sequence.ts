import { shapeOf } from '../ir/graph.js';
import { CompileError } from '../support/diagnostic.js';
import { int } from './onnx-emitter.js';
import { axisOf, defineOp, type OpDef } from './op.js';

/** Reverses the first lengths[b] elements along `time`, for each b along `batch`. Inputs: the tensor, lengths. */
export const reverseSequence: OpDef<{ batch: number; time: number }> = defineOp({
  name: 'reverse_sequence',
  infer: ([x, lengths], { batch, time }) => {
    if (lengths!.dtype !== 'i64' || lengths!.shape.length !== 1 || batch === time)
      throw new CompileError('bad-sequence', 'the lengths are not a vector of int64, or the axes coincide');
    return x!;
  },
  onnx: {
    ReverseSequence: {
      10: (n, b) => {
        const x = n.input(0);
        const rank = shapeOf(x).length;
        return b(reverseSequence, [x, n.input(1)], {
          batch: axisOf(n.int('batch_axis', 1), rank),
          time: axisOf(n.int('time_axis', 0), rank),
        });
      },
    },
  },
  toOnnx: ({ attrs }, inputs, e) =>
    e.one('ReverseSequence', inputs, { batch_axis: int(attrs.batch), time_axis: int(attrs.time) }),
});
