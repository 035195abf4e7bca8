import type { Dim } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Build, defineOp, type OpDef, type SourceNode } from './op.js';

/** The k largest or smallest elements along an axis, best first, and where they were; of equals the first. */
export const topK: OpDef<{ axis: number; k: Dim; largest: boolean; sorted: boolean }> = defineOp({
  name: 'top_k',
  infer: ([x], { axis, k }) => {
    const from = x!.shape[axis]!;
    if (typeof k === 'number' && (k < 0 || (typeof from === 'number' && k > from)))
      throw new CompileError('bad-top-k', `${k} of ${String(from)} elements are asked for`);
    const shape = x!.shape.map((d, i) => (i === axis ? k : d));
    return [tensor(x!.dtype, shape), tensor('i64', shape)];
  },
  onnx: {
    TopK: {
      1: (n, b) => best(n, b, n.int('k')),
      10: (n, b) => best(n, b, n.dims(n.input(1))[0]!),
    },
  },
  toOnnx: ({ attrs: a }, [x], e) =>
    e.node(
      'TopK',
      [x, e.dims([a.k])],
      { axis: int(a.axis), largest: int(a.largest), sorted: int(a.sorted) },
      2,
    ),
});

function best(n: SourceNode, b: Build, k: Dim): readonly Value[] {
  const x = n.input(0);
  return b.all(topK, [x], {
    axis: axisOf(n.int('axis', -1), shapeOf(x).length),
    k,
    largest: n.int('largest', 1) === 1,
    sorted: n.int('sorted', 1) === 1,
  });
}
