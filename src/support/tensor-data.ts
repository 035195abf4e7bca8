import { bitsOf, byteLengthOf, decodeTable } from './element-formats.js';

/** A tensor in row-major order. The text of a `string` tensor is in `strings`; its `bytes` are empty. */
export type TensorData = {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  readonly strings?: readonly string[];
};

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Why the parts of this tensor do not fit together, or undefined. */
export function malformed(tensor: TensorData): string | undefined {
  const count = elementCount(tensor.shape);
  if (!Number.isSafeInteger(count) || tensor.shape.some((d) => d < 0 || !Number.isInteger(d)))
    return `[${tensor.shape.join(', ')}] is not a shape`;
  if (tensor.dtype === 'string') {
    const found = tensor.strings?.length ?? 0;
    return found === count ? undefined : `${found} strings for ${count} elements`;
  }
  if (bitsOf(tensor.dtype) === undefined) return `unknown element type ${tensor.dtype}`;
  const wanted = byteLengthOf(tensor.dtype, count);
  return tensor.bytes.byteLength === wanted
    ? undefined
    : `${tensor.bytes.byteLength} bytes where ${tensor.dtype}[${tensor.shape.join(', ')}] takes ${wanted}`;
}

/** The same bytes at an address that typed arrays accept; copied only where they are not there already. */
export function alignedBytes(bytes: Uint8Array, width: number): Uint8Array {
  // A Buffer's own slice would share its memory.
  return bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
}

/** The elements as a typed array over the tensor's own bytes; `bytes` must be aligned to the element. */
function nativeView(dtype: string, bytes: Uint8Array) {
  const { buffer, byteOffset, byteLength } = bytes;
  switch (dtype) {
    case 'f32':
    case 'c64':
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case 'f64':
    case 'c128':
      return new Float64Array(buffer, byteOffset, byteLength / 8);
    case 'i8':
      return new Int8Array(buffer, byteOffset, byteLength);
    case 'i16':
      return new Int16Array(buffer, byteOffset, byteLength / 2);
    case 'i32':
      return new Int32Array(buffer, byteOffset, byteLength / 4);
    case 'u16':
      return new Uint16Array(buffer, byteOffset, byteLength / 2);
    case 'u32':
      return new Uint32Array(buffer, byteOffset, byteLength / 4);
    case 'u8':
    case 'bool':
      return bytes;
    default:
      return undefined;
  }
}

/** Writes elements `start` … `start + count` of a tensor as numbers to the front of a buffer. */
export type Decoder = (start: number, count: number, into: Float64Array) => void;

/**
 * A reader of a numeric tensor's elements as doubles (64-bit integers are rounded to them; complex elements
 * count as two), or undefined for strings and unknown types.
 */
export function decoderOf(dtype: string, bytes: Uint8Array): Decoder | undefined {
  const bits = bitsOf(dtype);
  if (bits === undefined) return undefined;
  const aligned = alignedBytes(bytes, Math.max(8, Math.min(bits, 64)) / 8);
  const native = nativeView(dtype, aligned);
  if (native) return (start, count, into) => into.set(native.subarray(start, start + count));

  const table = decodeTable(dtype);
  if (bits < 8) {
    const mask = (1 << bits) - 1;
    const signBit = dtype.startsWith('i') ? 1 << (bits - 1) : 0;
    return (start, count, into) => {
      for (let i = 0; i < count; i++) {
        const bit = (start + i) * bits;
        const code = (aligned[bit >> 3]! >> (bit & 7)) & mask;
        into[i] = table ? table[code]! : (code ^ signBit) - signBit;
      }
    };
  }
  if (table) {
    const codes =
      bits === 8 ? aligned : new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
    return (start, count, into) => {
      for (let i = 0; i < count; i++) into[i] = table[codes[start + i]!]!;
    };
  }
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
  return (start, count, into) => {
    for (let i = 0; i < count; i++) {
      const high = words[2 * (start + i) + 1]!;
      into[i] = (dtype === 'i64' ? high | 0 : high) * 2 ** 32 + words[2 * (start + i)]!;
    }
  };
}

/** All elements as doubles. For inspection and small tensors; large ones are read piece by piece. */
export function toNumbers(tensor: TensorData): Float64Array {
  const parts = tensor.dtype.startsWith('c') ? 2 : 1;
  const out = new Float64Array(elementCount(tensor.shape) * parts);
  decoderOf(tensor.dtype, tensor.bytes)?.(0, out.length, out);
  return out;
}
