import type { Dim } from '../ir/dim.js';
import { shapeOf } from '../ir/graph.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Converter, defineOp, type OpDef } from './op.js';
import { frontAxis } from './strides.js';

/** Running sums or products along an axis, which may only be known at run time. */
export const cumulate: OpDef<{ axis: Dim; kind: 'sum' | 'product'; exclusive: boolean; reverse: boolean }> =
  defineOp({
    name: 'cumulate',
    infer: ([x]) => x!,
    onnx: { CumSum: { 11: along('sum') }, CumProd: { 1: along('product') } },
    toOnnx: ({ attrs: a }, [x], e) => {
      const how = { exclusive: int(a.exclusive), reverse: int(a.reverse) };
      return e.one(a.kind === 'sum' ? 'CumSum' : 'CumProd', [x, e.dim(a.axis)], how);
    },
  });

function along(kind: 'sum' | 'product'): Converter {
  return (n, b) => {
    const x = n.input(0);
    const rank = shapeOf(x).length;
    const [axis] = n.dims(n.input(1));
    return b(cumulate, [x], {
      axis: typeof axis === 'number' ? axisOf(axis, rank) : frontAxis(axis!, rank),
      kind,
      exclusive: n.int('exclusive', 0) === 1,
      reverse: n.int('reverse', 0) === 1,
    });
  };
}
