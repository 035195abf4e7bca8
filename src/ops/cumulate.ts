import { type Dim, symbol } from '../ir/dim.js';
import { arg, call } from '../ir/expr.js';
import { dtypeOf, emit, graph, inputValue, shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { int, ints, type OnnxEmitter } from './onnx-emitter.js';
import { axisOf, type Converter, defineOp, type OpDef } from './op.js';
import { pointwise } from './pointwise.js';
import { frontAxis } from './strides.js';

/** Running sums or products along an axis, which may only be known at run time. */
export const cumulate: OpDef<{ axis: Dim; kind: 'sum' | 'product'; exclusive: boolean; reverse: boolean }> =
  defineOp({
    name: 'cumulate',
    infer: ([x]) => x!,
    onnx: { CumSum: { 11: along('sum') }, CumProd: { 1: along('product') } },
    toOnnx: ({ attrs: a, inputs: [v] }, [x], e) => {
      if (a.kind === 'product' && e.opset < 26 && typeof a.axis === 'number')
        return productScan(x!, v!, a.axis, a, e);
      const how = { exclusive: int(a.exclusive), reverse: int(a.reverse) };
      return e.one(a.kind === 'sum' ? 'CumSum' : 'CumProd', [x, e.dim(a.axis)], how);
    },
  });

/** Before opset 26: step by step. */
function productScan(
  x: string,
  v: Value,
  axis: number,
  { exclusive, reverse }: { readonly exclusive: boolean; readonly reverse: boolean },
  e: OnnxEmitter,
): string {
  const [shape, t] = [shapeOf(v), dtypeOf(v)];
  const slice = shape.filter((_, d) => d !== axis);
  const one = e.one('Expand', [e.constant(t, [], [1]), e.dims(slice)]);
  const origin = { format: 'pass', name: 'step' } as const;
  const type = tensor(
    t,
    slice.map((d, i) => (typeof d === 'number' ? d : symbol(`extent_${i}`, 0))),
  );
  const [so, next] = [inputValue('so_far', type, origin), inputValue('next', type, origin)];
  const product = emit(pointwise, [so, next], { expr: call('mul', arg(0), arg(1)) }, origin).outputs[0]!;
  const body = graph([so, next], [product, exclusive ? so : product]);
  const direction = ints([Number(reverse)]);
  const attrs = {
    body: { kind: 'graph', value: body, captured: [] } as const,
    num_scan_inputs: int(1),
    scan_input_axes: ints([axis]),
    scan_output_axes: ints([axis]),
    scan_input_directions: direction,
    scan_output_directions: direction,
  };
  return e.node('Scan', [one, x], attrs, 2)[1]!;
}

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
