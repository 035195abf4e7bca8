import { bitsOf, byteLengthOf, decodeTable } from './element-formats.js';
import { decoderOf, elementCount, type TensorData } from './tensor-data.js';

/** The type that holds every value of an element type which onnxruntime in Node does not carry. */
const WIDER: Readonly<Record<string, 'f32' | 'i8' | 'u8'>> = {
  bf16: 'f32',
  f8e4m3fn: 'f32',
  f8e4m3fnuz: 'f32',
  f8e5m2: 'f32',
  f8e5m2fnuz: 'f32',
  f8e8m0: 'f32',
  f4e2m1: 'f32',
  i4: 'i8',
  i2: 'i8',
  u4: 'u8',
  u2: 'u8',
};

/** Undefined for a type that needs no wider one. */
export const widerType = (dtype: string): 'f32' | 'i8' | 'u8' | undefined => WIDER[dtype];

/** The same values as a type that onnxruntime in Node carries. */
export function widened(tensor: TensorData): TensorData {
  const dtype = widerType(tensor.dtype);
  if (dtype === undefined) return tensor;
  const { shape, bytes } = tensor;
  const values = new Float64Array(elementCount(shape));
  decoderOf(tensor.dtype, bytes)!(0, values.length, values);
  const words =
    dtype === 'f32'
      ? Float32Array.from(values)
      : dtype === 'i8'
        ? Int8Array.from(values)
        : Uint8Array.from(values);
  return { dtype, shape, bytes: new Uint8Array(words.buffer) };
}

/** The way back: every element must be a value of the type. */
export function narrowed(tensor: TensorData, dtype: string): TensorData {
  const { shape, bytes } = tensor;
  const count = elementCount(shape);
  const packed = new Uint8Array(byteLengthOf(dtype, count));
  const bits = bitsOf(dtype)!;
  const codeAt = dtype === 'bf16' ? undefined : coder(tensor, dtype);
  if (codeAt === undefined) {
    const upper = new Uint16Array(packed.buffer);
    const words = new Uint32Array(bytes.slice().buffer);
    for (let i = 0; i < count; i++) upper[i] = words[i]! >>> 16;
  } else {
    const mask = (1 << bits) - 1;
    for (let i = 0; i < count; i++) packed[(i * bits) >> 3]! |= (codeAt(i) & mask) << ((i * bits) & 7);
  }
  return { dtype, shape, bytes: packed };
}

/** The bit pattern of element `i`. */
function coder({ dtype: wide, bytes }: TensorData, dtype: string): (i: number) => number {
  if (wide !== 'f32') return (i) => bytes[i]!;
  const values = new Float32Array(bytes.slice().buffer);
  const codes = new Map<string, number>();
  // Zeros of both signs are told apart; of several patterns for NaN the first will do.
  const key = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
  for (const [code, value] of decodeTable(dtype)!.entries())
    if (!codes.has(key(value))) codes.set(key(value), code);
  return (i) => codes.get(key(values[i]!)) ?? 0;
}
