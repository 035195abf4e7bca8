/** The bulk data fields of a tensor: packed protobuf arrays to and from typed arrays. */
import { wireType } from './wire.js';

export interface Vector<A> {
  readonly wire: number;
  readonly empty: A;
  unpack(bytes: Uint8Array): A;
  pack(values: A): Uint8Array;
  concat(parts: readonly A[]): A;
}

interface Numeric<T> extends ArrayBufferView {
  readonly length: number;
  set(values: ArrayLike<T>, at: number): void;
}

export const floats: Vector<Float32Array> = {
  wire: wireType.fixed32,
  empty: new Float32Array(),
  unpack: (bytes) => new Float32Array(copyOfWords(bytes, 4)),
  pack: bytesOf,
  concat: (parts) => join(parts, (length) => new Float32Array(length)),
};

export const doubles: Vector<Float64Array> = {
  wire: wireType.fixed64,
  empty: new Float64Array(),
  unpack: (bytes) => new Float64Array(copyOfWords(bytes, 8)),
  pack: bytesOf,
  concat: (parts) => join(parts, (length) => new Float64Array(length)),
};

export const int32s: Vector<Int32Array> = {
  wire: wireType.varint,
  empty: new Int32Array(),
  unpack: (bytes) => unpackVarints(bytes, 1),
  pack: (values) => packVarints(values, 1),
  concat: (parts) => join(parts, (length) => new Int32Array(length)),
};

export const int64s: Vector<BigInt64Array> = {
  wire: wireType.varint,
  empty: new BigInt64Array(),
  unpack: (bytes) => new BigInt64Array(unpackVarints(bytes, 2).buffer),
  pack: (values) => packVarints(wordsOf(values), 2),
  concat: (parts) => join(parts, (length) => new BigInt64Array(length)),
};

export const uint64s: Vector<BigUint64Array> = {
  wire: wireType.varint,
  empty: new BigUint64Array(),
  unpack: (bytes) => new BigUint64Array(unpackVarints(bytes, 2).buffer),
  pack: (values) => packVarints(wordsOf(values), 2),
  concat: (parts) => join(parts, (length) => new BigUint64Array(length)),
};

/** The memory of a typed array. Every supported host is little-endian, as protobuf and ONNX are. */
export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function wordsOf(values: ArrayBufferView): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.byteLength / 4);
}

function copyOfWords(bytes: Uint8Array, size: number): ArrayBuffer {
  if (bytes.length % size !== 0)
    throw new Error(`${bytes.length} bytes are no whole number of ${size}-byte values`);
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy.buffer;
}

function join<T, A extends Numeric<T> & ArrayLike<T>>(parts: readonly A[], create: (length: number) => A): A {
  const first = parts[0];
  if (first !== undefined && parts.length === 1) return first;
  const whole = create(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Varints as 32-bit words, `words` (1: truncated, 2: low then high) for each. */
function unpackVarints(bytes: Uint8Array, words: 1 | 2): Int32Array<ArrayBuffer> {
  const size = bytes.length;
  if (size > 0 && bytes[size - 1]! >= 0x80) throw new Error('a varint is cut off');
  let total = 0;
  for (let at = 0; at < size; at++) total += bytes[at]! < 0x80 ? 1 : 0;
  const out = new Int32Array(total * words);
  for (let at = 0, to = 0; at < size; to += words) {
    let byte = bytes[at++]!;
    let low = byte & 0x7f;
    let high = 0;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 63) throw new Error('a varint has more than 10 bytes');
      byte = bytes[at++]!;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift > 28) high |= bits << (shift - 32);
      else if (shift === 28) high = bits >>> 4;
    }
    out[to] = low;
    if (words === 2) out[to + 1] = high;
  }
  return out;
}

function packVarints(values: Int32Array, words: 1 | 2): Uint8Array {
  const highOf = (at: number): number => (words === 2 ? values[at + 1]! : values[at]! >> 31);
  let size = 0;
  for (let at = 0; at < values.length; at += words) {
    const high = highOf(at);
    const bits = high === 0 ? 32 - Math.clz32(values[at]!) : 64 - Math.clz32(high);
    size += Math.max(1, Math.ceil(bits / 7));
  }
  const out = new Uint8Array(size);
  let to = 0;
  for (let at = 0; at < values.length; at += words) {
    let low = values[at]! >>> 0;
    let high = highOf(at) >>> 0;
    while (high !== 0 || low > 0x7f) {
      out[to++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    out[to++] = low;
  }
  return out;
}
