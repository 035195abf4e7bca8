import { numel } from '../ir/dim.js';
import { shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { dims } from './constant.js';
import { int } from './onnx-emitter.js';
import { type Converter, defineOp, type OpDef } from './op.js';

const clamp = (axis: number, rank: number): number =>
  Math.min(Math.max(axis < 0 ? axis + rank : axis, 0), rank);

/** The extents become dims at once: nothing is left to run. */
const shape: Converter = (n, b) => {
  const all = shapeOf(n.input(0));
  const start = clamp(n.int('start', 0), all.length);
  const end = clamp(n.int('end', all.length), all.length);
  const part = all.slice(start, Math.max(start, end));
  return b(dims, [], { dims: part, dtype: 'i64', shape: [part.length] });
};

const size: Converter = (n, b) =>
  b(dims, [], { dims: [numel(shapeOf(n.input(0)))], dtype: 'i64', shape: [] });

/**
 * The extents `start` to `end` that a tensor has when the model runs: the source of symbols for tensors
 * whose shape only their producer knows.
 */
export const shapeOfValue: OpDef<{ start: number; end: number }> = defineOp({
  name: 'shape_of',
  infer: ([x], { start, end }) => {
    if (start < 0 || end < start || end > x!.shape.length)
      throw new CompileError('bad-axis', `axes ${start} to ${end} of a tensor of rank ${x!.shape.length}`);
    return tensor('i64', [end - start]);
  },
  onnx: { Shape: { 1: shape }, Size: { 1: size } },
  toOnnx: ({ attrs }, [x], e) => e.one('Shape', [x], { start: int(attrs.start), end: int(attrs.end) }),
});
