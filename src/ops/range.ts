import { add, ceildiv, type Dim, floordiv, max, mul, sub } from '../ir/dim.js';
import { dtypeOf } from '../ir/graph.js';
import { type DType, isInteger, tensor } from '../ir/type.js';
import { content } from './content.js';
import { dtype } from './onnx-emitter.js';
import { type Converter, defineOp, type OpDef, sameDtype } from './op.js';

/** start, start + step, …: `count` integers. */
export const iota: OpDef<{ start: Dim; step: Dim; count: Dim; dtype: DType }> = defineOp({
  name: 'iota',
  infer: (_, a) => tensor(a.dtype, [a.count]),
  evaluate: (_, a) => {
    const { count } = a;
    if (typeof count !== 'number') return undefined;
    const data = Array.from({ length: count }, (_, i) => add(a.start, mul(i, a.step)));
    return content(a.dtype, [count], data);
  },
  toOnnx: ({ attrs: a }, _, e) => {
    const limit = add(a.start, mul(a.count, a.step));
    const numbers = e.one('Range', [e.dim(a.start), e.dim(limit), e.dim(a.step)]);
    return a.dtype === 'i64' ? numbers : e.one('Cast', [numbers], { to: dtype(a.dtype) });
  },
});

/** How many elements `range` has: inputs start, limit and delta. */
export const rangeCount: OpDef = defineOp({
  name: 'range_count',
  infer: (inputs) => {
    sameDtype('range', inputs);
    return tensor('i64', [1]);
  },
  toOnnx: (_, inputs, e) => e.one('Shape', [e.one('Range', inputs)]),
});

/** start + i * delta, for numbers that are not whole. Inputs: start, limit and delta. */
export const range: OpDef<{ count: Dim }> = defineOp({
  name: 'range',
  infer: (inputs, { count }) => tensor(sameDtype('range', inputs), [count]),
  onnx: { Range: { 11: convert } },
  toOnnx: (_, inputs, e) => e.one('Range', inputs),
});

function convert(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const inputs = [n.input(0), n.input(1), n.input(2)];
  const type = dtypeOf(inputs[0]!);
  if (isInteger(type)) {
    const [start, limit, step] = inputs.map((v) => n.dims(v)[0]!) as [Dim, Dim, Dim];
    const span = sub(limit, start);
    const count =
      typeof step === 'number' && step > 0 ? ceildiv(span, step) : mul(-1, floordiv(mul(-1, span), step));
    return b(iota, [], { start, step, count: max(count, 0), dtype: type });
  }
  const known = inputs.map((v) => n.content(v)?.data[0]).filter((x) => typeof x === 'number');
  const [start, limit, delta] = known;
  if (start !== undefined && limit !== undefined && delta !== undefined)
    return b(range, inputs, { count: Math.max(0, Math.ceil((limit - start) / delta)) });
  const count = b(rangeCount, inputs, {});
  return b(range, inputs, { count: n.bind(count, 0, 'range') });
}
