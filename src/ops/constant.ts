import type { Shape } from '../ir/dim.js';
import type { Literal } from '../ir/literal.js';
import { type DType, tensor } from '../ir/type.js';
import { content, contentShape } from './content.js';
import { dtype } from './onnx-emitter.js';
import { defineOp } from './op.js';

/** A tensor whose elements are part of the model. */
export const constant = defineOp<{ value: Literal }>({
  name: 'constant',
  infer: (_, { value }) => value.type,
  evaluate: (_, { value }) => {
    if (!contentShape(value.shape) || !/^(i|u|bool|f32|f64|f16|bf16)/.test(value.dtype)) return undefined;
    const data = value.numbers();
    return data.every((x) => Number.isSafeInteger(x) || !Number.isInteger(x))
      ? content(value.dtype, value.shape, data)
      : undefined;
  },
  toOnnx: ({ attrs }, _, e) => e.literal(attrs.value),
});

/** A tensor of extents: shape arithmetic that is left after importing. `shape` is [] or [dims.length]. */
export const dims = defineOp<{ dims: Shape; dtype: DType; shape: readonly number[] }>({
  name: 'dims',
  infer: (_, a) => tensor(a.dtype, a.shape),
  evaluate: (_, a) => content(a.dtype, a.shape, a.dims),
  toOnnx: ({ attrs }, _, e) => {
    const flat = e.dims(attrs.dims);
    const typed = attrs.dtype === 'i64' ? flat : e.one('Cast', [flat], { to: dtype(attrs.dtype) });
    return attrs.shape.length === 1
      ? typed
      : e.one('Reshape', [typed, e.constant('i64', [attrs.shape.length], attrs.shape)]);
  },
});
