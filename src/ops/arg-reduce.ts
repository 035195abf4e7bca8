import { shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Converter, defineOp, type OpDef, reducedShape } from './op.js';

export type ArgReduceAttrs = {
  readonly largest: boolean;
  readonly axis: number;
  readonly keepdims: boolean;
  /** Which of several equal elements counts. */
  readonly last: boolean;
};

/** Where the largest or the smallest element along an axis lies. */
export const argReduce: OpDef<ArgReduceAttrs> = defineOp({
  name: 'arg_reduce',

  infer: ([x], { axis, keepdims }) =>
    tensor('i64', reducedShape(x!.shape, [axisOf(axis, x!.shape.length)], keepdims)),

  onnx: { ArgMax: { 1: convert(true) }, ArgMin: { 1: convert(false) } },

  toOnnx: ({ attrs: { largest, axis, keepdims, last } }, [x], e) =>
    e.one(largest ? 'ArgMax' : 'ArgMin', [x], {
      axis: int(axis),
      keepdims: int(keepdims),
      select_last_index: int(last),
    }),
});

function convert(largest: boolean): Converter {
  return (n, b) => {
    const x = n.input(0);
    return b(argReduce, [x], {
      largest,
      axis: axisOf(n.int('axis', 0), shapeOf(x).length),
      keepdims: n.int('keepdims', 1) === 1,
      last: n.int('select_last_index', 0) === 1,
    });
  };
}
