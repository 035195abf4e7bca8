import { createHash } from 'node:crypto';
import { type Blob, computedBlob, memoryBlob } from '../support/blob.js';
import { bitsOf, bytesOf, type DType, isInteger, type TensorType, tensor } from './type.js';

/** Bytes in memory at a time where a tensor may be larger than a hash takes at once. */
const chunk = 16 << 20;

/** The elements of a constant tensor: packed little-endian bytes, read when somebody asks. */
export class Literal {
  readonly #blob: Blob;
  readonly #source: Literal | undefined;
  #key: string | undefined;
  #beginning: string | undefined;

  /** `source`: what the elements follow from, once their type and shape are known. */
  constructor(
    readonly dtype: DType,
    readonly shape: readonly number[],
    blob: Blob,
    source?: Literal,
  ) {
    this.#blob = blob;
    this.#source = source;
  }

  get size(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }

  get byteLength(): number {
    return this.#blob.byteLength;
  }

  get type(): TensorType {
    return tensor(this.dtype, this.shape);
  }

  bytes(): Uint8Array {
    return this.#blob.read();
  }

  /** Part of the bytes, for copying a tensor larger than memory. */
  read(offset: number, length: number): Uint8Array {
    return this.#blob.read(offset, length);
  }

  /** Identity by content: equal keys mean equal tensors. */
  get key(): string {
    this.#key ??= this.#hash();
    return this.#key;
  }

  /** Equal tensors have equal ones, which are had without reading all of the bytes. */
  get beginning(): string {
    this.#beginning ??= this.#begin();
    return this.#beginning;
  }

  #begin(): string {
    const type = `${this.dtype}[${this.shape.join(',')}]`;
    if (this.#source) return `${type} of ${this.#source.beginning}`;
    return `${type} ${Buffer.from(this.read(0, Math.min(64, this.byteLength))).toString('base64')}`;
  }

  #hash(): string {
    const hash = createHash('sha256').update(`${this.dtype}[${this.shape.join(',')}]`);
    for (let at = 0; at < this.byteLength; at += chunk)
      hash.update(this.read(at, Math.min(chunk, this.byteLength - at)));
    return hash.digest('hex').slice(0, 16);
  }

  /** The same elements under another shape. */
  reshaped(shape: readonly number[]): Literal {
    return new Literal(this.dtype, shape, this.#blob, this.#source);
  }

  /** Elements as numbers; 64-bit integers beyond 2^53 lose precision: use `bigints` for those. */
  numbers(): readonly number[] {
    return isInteger(this.dtype) || this.dtype === 'bool'
      ? decodeIntegers(this.dtype, this.bytes(), this.size, Number)
      : decodeFloats(this.dtype, this.bytes(), this.size);
  }

  bigints(): readonly bigint[] {
    return decodeIntegers(this.dtype, this.bytes(), this.size, BigInt);
  }
}

export const literal = (dtype: DType, shape: readonly number[], bytes: Uint8Array): Literal =>
  new Literal(dtype, shape, memoryBlob(bytes));

/** A literal whose elements are made when somebody asks, and not kept. `source`: what they follow from. */
export const computedLiteral = (
  dtype: DType,
  shape: readonly number[],
  make: () => ArrayBufferView,
  source?: Literal,
): Literal => {
  const blob = computedBlob(
    bytesOf(
      dtype,
      shape.reduce((a, b) => a * b, 1),
    ),
    () => {
      const { buffer, byteOffset, byteLength } = make();
      return new Uint8Array(buffer, byteOffset, byteLength);
    },
  );
  return new Literal(dtype, shape, blob, source);
};

const ranges: Readonly<Record<string, { set: keyof DataView; size: number }>> = {
  f64: { set: 'setFloat64', size: 8 },
  f32: { set: 'setFloat32', size: 4 },
  i64: { set: 'setBigInt64', size: 8 },
  u64: { set: 'setBigUint64', size: 8 },
  i32: { set: 'setInt32', size: 4 },
  u32: { set: 'setUint32', size: 4 },
  i16: { set: 'setInt16', size: 2 },
  u16: { set: 'setUint16', size: 2 },
  i8: { set: 'setInt8', size: 1 },
  u8: { set: 'setUint8', size: 1 },
  bool: { set: 'setUint8', size: 1 },
};

/** A literal from plain numbers, rounded to the element type. */
export function literalOf(
  dtype: DType,
  shape: readonly number[],
  values: readonly (number | bigint)[],
): Literal {
  if (dtype === 'f16' || dtype === 'bf16') {
    const bits = Uint16Array.from(values, (v) =>
      dtype === 'f16' ? f16Bits(Number(v)) : bf16Bits(Number(v)),
    );
    return literal(dtype, shape, new Uint8Array(bits.buffer));
  }
  const how = ranges[dtype];
  if (!how) throw new TypeError(`a literal of ${dtype} cannot be made from numbers`);
  const bytes = new Uint8Array(how.size * values.length);
  const view = new DataView(bytes.buffer);
  const set = view[how.set] as (at: number, v: number | bigint, little: boolean) => void;
  const big = dtype === 'i64' || dtype === 'u64';
  values.forEach((v, i) => {
    set.call(view, i * how.size, big ? BigInt(v) : Number(v), true);
  });
  return literal(dtype, shape, bytes);
}

export const scalarLiteral = (dtype: DType, value: number | bigint): Literal => literalOf(dtype, [], [value]);

function decodeFloats(dtype: DType, bytes: Uint8Array, count: number): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const each = (get: (at: number) => number, size: number): number[] => {
    const out = new Array<number>(count);
    for (let i = 0; i < count; i++) out[i] = get(i * size);
    return out;
  };
  switch (dtype) {
    case 'f64':
      return each((at) => view.getFloat64(at, true), 8);
    case 'f32':
      return each((at) => view.getFloat32(at, true), 4);
    case 'f16':
      return each((at) => f16Value(view.getUint16(at, true)), 2);
    case 'bf16':
      return each((at) => bf16Value(view.getUint16(at, true)), 2);
    default:
      throw new TypeError(`elements of ${dtype} are not read as numbers`);
  }
}

function decodeIntegers<T>(
  dtype: DType,
  bytes: Uint8Array,
  count: number,
  of: (x: number | bigint) => T,
): readonly T[] {
  const bits = bitsOf[dtype];
  const signed = dtype.startsWith('i');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (i: number): number | bigint => {
    if (bits < 8) {
      const perByte = 8 / bits;
      const raw = (bytes[Math.floor(i / perByte)]! >> ((i % perByte) * bits)) & ((1 << bits) - 1);
      return signed && raw >= 1 << (bits - 1) ? raw - (1 << bits) : raw;
    }
    switch (bits) {
      case 8:
        return signed ? view.getInt8(i) : view.getUint8(i);
      case 16:
        return signed ? view.getInt16(i * 2, true) : view.getUint16(i * 2, true);
      case 32:
        return signed ? view.getInt32(i * 4, true) : view.getUint32(i * 4, true);
      default:
        return signed ? view.getBigInt64(i * 8, true) : view.getBigUint64(i * 8, true);
    }
  };
  const out = new Array<T>(count);
  for (let i = 0; i < count; i++) out[i] = of(at(i));
  return out;
}

const scratch = new DataView(new ArrayBuffer(8));

/** IEEE 754 binary16 value of a bit pattern. */
export function f16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Rounds to the nearest binary16, ties to even. */
export function f16Bits(x: number): number {
  const sign = Object.is(x, -0) || x < 0 ? 0x8000 : 0;
  const a = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (a >= 65520) return sign | 0x7c00;
  const exponent = a < 2 ** -14 ? -14 : Math.floor(Math.log2(a));
  const unit = 2 ** (exponent - 10);
  const scaled = a / unit;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return sign | (a < 2 ** -14 ? rounded : rounded + ((exponent + 14) << 10));
}

export function bf16Value(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** Rounds to the nearest bfloat16, ties to even. */
export function bf16Bits(x: number): number {
  if (Number.isNaN(x)) return 0x7fc0;
  scratch.setFloat32(0, x);
  const bits = scratch.getUint32(0);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}
