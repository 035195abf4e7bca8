import { dtypeOf, type Node } from '../ir/graph.js';
import type { DType } from '../ir/type.js';
import { dtype, int, type OnnxEmitter } from './onnx-emitter.js';
import type { DequantizeAttrs, QuantizeAttrs } from './quantize.js';

const granularity = (axis: number, block: number) => ({
  axis: int(axis),
  ...(block > 0 ? { block_size: int(block) } : {}),
});

const as = (name: string | undefined, from: DType, to: DType, e: OnnxEmitter): string =>
  from === to ? name! : e.one('Cast', [name], { to: dtype(to) });

/** 16-bit numbers came with opset 21. */
const requireType = (t: DType, e: OnnxEmitter): void => {
  if (t === 'i16' || t === 'u16') e.needs(21, `quantization to ${t}`);
};

/** Before opset 19 scales are f32; before 23 the division has the type of the scale. */
export function quantizeToOnnx(
  { attrs: { axis, block, to, saturate, precision }, inputs: values }: Node<QuantizeAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): string {
  requireType(to, e);
  const narrow = e.opset < 19 ? 'f32' : e.opset < 23 ? precision : undefined;
  const [x, scale] = [0, 1].map((i) => {
    const from = dtypeOf(values[i]!);
    return from === 'i32' ? inputs[i] : as(inputs[i], from, narrow ?? from, e);
  });
  return e.one('QuantizeLinear', [x, scale, ...inputs.slice(2)], {
    ...granularity(axis, block),
    ...(to.startsWith('f8') ? { saturate: int(saturate) } : {}),
    ...(inputs.length < 3 && to !== 'u8' ? { output_dtype: dtype(to) } : {}),
    ...(precision && e.opset >= 23 ? { precision: dtype(precision) } : {}),
  });
}

/** Before opset 23 the result has the type of the scale. */
export function dequantizeToOnnx(
  { attrs: { axis, block, to }, inputs: values }: Node<DequantizeAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): string {
  requireType(dtypeOf(values[0]!), e);
  const own = dtypeOf(values[1]!);
  const type = e.opset < 19 ? 'f32' : own;
  const [x, scale, zero] = inputs;
  const named = to !== type && e.opset >= 23;
  const y = e.one('DequantizeLinear', [x, as(scale, own, type, e), zero], {
    ...granularity(axis, block),
    ...(named ? { output_dtype: dtype(to) } : {}),
  });
  return named ? y : as(y, type, to, e);
}
