import type { Dim } from '../ir/dim.js';
import { arg, cast } from '../ir/expr.js';
import { dtypeOf, shapeOf } from '../ir/graph.js';
import { type DType, isInteger, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { dtype, int } from './onnx-emitter.js';
import { axisOf, defineOp, type OpDef } from './op.js';
import { pointwise } from './pointwise.js';

/**
 * A new axis of `depth` elements that are values[1] where the index says so and values[0] elsewhere.
 * An index outside [-depth, depth) marks nothing. Inputs: indices, values.
 */
export const oneHot: OpDef<{ axis: number; depth: Dim }> = defineOp({
  name: 'one_hot',
  infer: ([indices, values], { axis, depth }) => {
    if (values!.shape.length !== 1 || (typeof values!.shape[0] === 'number' && values!.shape[0] !== 2))
      throw new CompileError('bad-one-hot', 'the values are not a pair');
    const shape = [...indices!.shape];
    shape.splice(axis, 0, depth);
    return tensor(values!.dtype, shape);
  },
  onnx: {
    OneHot: {
      9: (n, b) => {
        const [indices, values] = [n.input(0), n.input(2)];
        const given = n.input(1);
        const depth = isInteger(dtypeOf(given))
          ? given
          : b(pointwise, [given], { expr: cast('i64', arg(0)) });
        const axis = axisOf(n.int('axis', -1), shapeOf(indices).length + 1);
        return b(oneHot, [indices, values], { axis, depth: n.dims(depth)[0]! });
      },
    },
  },
  // onnxruntime has no kernel for most combinations of types: the depth takes that of the indices.
  toOnnx: ({ attrs, inputs }, [indices, values], e) => {
    const given = dtypeOf(inputs[0]!);
    const type = given === 'f32' || given === 'i32' ? given : 'i64';
    const to = (name: string | undefined, from: DType): string =>
      from === type ? name! : e.one('Cast', [name], { to: dtype(type) });
    const depth = to(e.dim(attrs.depth), 'i64');
    return e.one('OneHot', [to(indices, given), depth, values], { axis: int(attrs.axis) });
  },
});
