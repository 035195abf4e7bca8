import { decoderOf, elementCount, type TensorData } from '../support/tensor-data.js';
import type { Tolerance } from './metrics.js';

export type ToleranceOptions = {
  /** The longest sum behind any element of the model: the K of its largest matrix product or convolution. */
  readonly accumulation: number;
  /** How many such sums follow one another on the longest path. */
  readonly depth?: number;
  /**
   * The coarsest float type values are stored or multiplied in on the way, where it is coarser than the output's:
   * an operand that is rounded only for a product is off as if it had been stored so.
   */
  readonly storage?: string;
  /** The model rounds to 8-bit integers on the way: two right answers may lie one step of that grid apart. */
  readonly quantised?: boolean;
  /** What the user asks for, which wins over what follows from the model. */
  readonly atol?: number;
  readonly rtol?: number;
};

/** Spacing of the numbers next to 1. */
const EPSILON: Readonly<Record<string, number>> = {
  f64: 2 ** -52,
  f32: 2 ** -23,
  f16: 2 ** -10,
  tf32: 2 ** -10,
  bf16: 2 ** -7,
  f8e4m3fn: 2 ** -3,
  f8e4m3fnuz: 2 ** -3,
  f8e5m2: 2 ** -2,
  f8e5m2fnuz: 2 ** -2,
  f8e8m0: 1,
  f4e2m1: 2 ** -1,
  c64: 2 ** -23,
  c128: 2 ** -52,
};

/** The type of wider spacing; what is no float has none. */
export const coarser = (a: string | undefined, b: string | undefined): string | undefined =>
  (EPSILON[b ?? ''] ?? 0) > (EPSILON[a ?? ''] ?? 0) ? b : a;

/** The probability, over random roundings, that a right answer fails. */
const FAILURE_PROBABILITY = 1e-6;

/** Elementwise functions are accurate to a few units; so is the shortest sum here: √16 = 4 of them. */
const SHORTEST_SUM = 16;

/** Steps of the 8-bit grid from zero to the largest magnitude. */
const GRID_STEPS = 127;

/**
 * The tolerance that follows from the numbers' types and the lengths of the sums:
 *
 *     t    = λ · √depth · (ε(accumulator) · √max(K, 16) + ε(storage))
 *     atol = t · rms(expected)        rtol = t        λ = √(2 · ln(2 · n / 10⁻⁶))
 *
 * With independent roundings of mean zero, a sum of K products computed in any order is off by more than
 * λ·√K·u relative to the sum of the products' magnitudes with probability at most 2·exp(−λ²/2): N. J. Higham
 * and T. Mary, "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41(5), 2019.
 * Engine and reference both round, hence ε = 2u; n outputs each get their share of the failure
 * probability, hence λ; errors of successive layers add like independent ones, hence √depth. Sums are kept
 * in f32 where elements are narrower. The size of the summands is estimated by the outputs' root mean square,
 * which is why cancellation to nearly zero is measured by `atol` and not by the element itself.
 *
 * Integers, booleans and strings are exact. Where the model quantises, integers may differ by one, and floats
 * by one step of an 8-bit grid that spans the output.
 */
export function toleranceFor(expected: TensorData, options: ToleranceOptions): Tolerance {
  const { accumulation, depth = 1, storage, quantised = false } = options;
  const ownEpsilon = EPSILON[expected.dtype];
  if (ownEpsilon === undefined)
    return {
      atol: options.atol ?? (quantised && isInteger(expected.dtype) ? 1 : 0),
      rtol: options.rtol ?? 0,
    };

  const stored = Math.max(ownEpsilon, storage === undefined ? 0 : (EPSILON[storage] ?? 0));
  const accumulated = Math.min(stored, EPSILON.f32!);
  const { rms, max } = sizeOf(expected);
  const lambda = Math.sqrt(
    2 * Math.log((2 * Math.max(1, elementCount(expected.shape))) / FAILURE_PROBABILITY),
  );
  const t =
    lambda *
    Math.sqrt(Math.max(1, depth)) *
    (accumulated * Math.sqrt(Math.max(accumulation, SHORTEST_SUM)) + stored);
  return {
    atol: options.atol ?? t * rms + (quantised ? max / GRID_STEPS : 0),
    rtol: options.rtol ?? t,
  };
}

function isInteger(dtype: string): boolean {
  return /^[iu]\d+$/.test(dtype);
}

const CHUNK = 1 << 14;

/** Root mean square and largest magnitude of the finite elements. */
function sizeOf(tensor: TensorData): { readonly rms: number; readonly max: number } {
  const decode = decoderOf(tensor.dtype, tensor.bytes);
  const total = elementCount(tensor.shape) * (tensor.dtype.startsWith('c') ? 2 : 1);
  const piece = new Float64Array(CHUNK);
  let [sum, count, max] = [0, 0, 0];
  for (let start = 0; start < total; start += CHUNK) {
    const length = Math.min(CHUNK, total - start);
    decode?.(start, length, piece);
    for (let i = 0; i < length; i++) {
      const magnitude = Math.abs(piece[i]!);
      if (!(magnitude < Infinity)) continue;
      sum += magnitude * magnitude;
      count++;
      if (magnitude > max) max = magnitude;
    }
  }
  return { rms: count === 0 ? 0 : Math.sqrt(sum / count), max };
}
