import { type Shape, show } from './dim.js';

/** Element types, by the names used everywhere in the project. Sub-byte types are packed, low bits first. */
export const bitsOf = {
  f64: 64,
  f32: 32,
  f16: 16,
  bf16: 16,
  f8e4m3fn: 8,
  f8e4m3fnuz: 8,
  f8e5m2: 8,
  f8e5m2fnuz: 8,
  f8e8m0: 8,
  f4e2m1: 4,
  i64: 64,
  i32: 32,
  i16: 16,
  i8: 8,
  i4: 4,
  i2: 2,
  u64: 64,
  u32: 32,
  u16: 16,
  u8: 8,
  u4: 4,
  u2: 2,
  bool: 8,
  c64: 64,
  c128: 128,
  string: 0,
} as const;

export type DType = keyof typeof bitsOf;

export const isDType = (s: string): s is DType => s in bitsOf;
export const isFloat = (t: DType): boolean => /^b?f\d/.test(t);
export const isSigned = (t: DType): boolean => /^i\d/.test(t);
export const isUnsigned = (t: DType): boolean => /^u\d/.test(t);
export const isInteger = (t: DType): boolean => isSigned(t) || isUnsigned(t);

/** Bytes that `count` elements take, packed. */
export const bytesOf = (t: DType, count: number): number => Math.ceil((bitsOf[t] * count) / 8);

export interface TensorType {
  readonly kind: 'tensor';
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A value no kernel can hold: a sequence, an optional, a map, or a tensor whose rank nobody declared. */
export interface OpaqueType {
  readonly kind: 'opaque';
  readonly text: string;
}

export type ValueType = TensorType | OpaqueType;

export const tensor = (dtype: DType, shape: Shape): TensorType => ({ kind: 'tensor', dtype, shape });

export const showType = (t: ValueType): string =>
  t.kind === 'tensor' ? `${t.dtype}[${t.shape.map(show).join(',')}]` : `opaque<${t.text}>`;
