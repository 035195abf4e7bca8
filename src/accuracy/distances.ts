import { alignedBytes, type Decoder, type TensorData } from '../support/tensor-data.js';

/** The largest distance in units in the last place among elements `start` … `start + count` that are finite on both sides. */
export type UlpMeter = (start: number, count: number, actual: Float64Array, expected: Float64Array) => number;

/**
 * Counts representable numbers between two floats: their bit patterns, read as sign and magnitude, lie on one
 * line on which neighbours differ by one. +0 and -0 are the same point.
 */
export function ulpMeterOf(dtype: string, actual: Uint8Array, expected: Uint8Array): UlpMeter | undefined {
  switch (dtype) {
    case 'f16':
    case 'bf16':
      return narrowMeter(words16(actual), words16(expected), 0x8000);
    case 'f32':
      return narrowMeter(words32(actual), words32(expected), 0x80000000);
    case 'f64':
      return wideMeter(words32(actual), words32(expected));
    default:
      return undefined;
  }
}

/** Exact differences where doubles cannot hold the values: 64-bit integers, half by half. */
export function exactDifferenceOf(actual: TensorData, expected: TensorData): Decoder | undefined {
  const { dtype } = expected;
  if (dtype !== 'i64' && dtype !== 'u64') return undefined;
  const a = words32(actual.bytes);
  const e = words32(expected.bytes);
  const signed = dtype === 'i64';
  return (start, count, into) => {
    for (let i = 0; i < count; i++) {
      const at = 2 * (start + i);
      const [ha, he] = [a[at + 1]!, e[at + 1]!];
      const high = signed ? (ha | 0) - (he | 0) : ha - he;
      into[i] = Math.abs(high * 2 ** 32 + (a[at]! - e[at]!));
    }
  };
}

function words16(bytes: Uint8Array): Uint16Array {
  const aligned = alignedBytes(bytes, 2);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
}

function words32(bytes: Uint8Array): Uint32Array {
  const aligned = alignedBytes(bytes, 4);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

function narrowMeter(a: Uint16Array | Uint32Array, e: Uint16Array | Uint32Array, signBit: number): UlpMeter {
  return (start, count, actual, expected) => {
    let max = 0;
    for (let i = 0; i < count; i++) {
      const ca = a[start + i]!;
      const ce = e[start + i]!;
      if (ca === ce || !Number.isFinite(actual[i]! + expected[i]!)) continue;
      const pa = ca >= signBit ? signBit - ca : ca;
      const pe = ce >= signBit ? signBit - ce : ce;
      const distance = Math.abs(pa - pe);
      if (distance > max) max = distance;
    }
    return max;
  };
}

/** The halves are subtracted before they are joined: 63-bit magnitudes would not survive as doubles. */
function wideMeter(a: Uint32Array, e: Uint32Array): UlpMeter {
  return (start, count, actual, expected) => {
    let max = 0;
    for (let i = 0; i < count; i++) {
      if (actual[i] === expected[i] || !Number.isFinite(actual[i]!) || !Number.isFinite(expected[i]!))
        continue;
      const at = 2 * (start + i);
      const highA = a[at + 1]! & 0x7fffffff;
      const highE = e[at + 1]! & 0x7fffffff;
      const side = ((a[at + 1]! ^ e[at + 1]!) & 0x80000000) === 0 ? -1 : 1;
      const distance = Math.abs((highA + side * highE) * 2 ** 32 + (a[at]! + side * e[at]!));
      if (distance > max) max = distance;
    }
    return max;
  };
}
