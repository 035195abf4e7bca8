import { decoderOf, elementCount, malformed, type TensorData } from '../support/tensor-data.js';
import { hasOrder, RowMaxima } from './argmax.js';
import { exactDifferenceOf, ulpMeterOf } from './distances.js';

/** An element passes when |actual − expected| ≤ atol + rtol·|expected|. */
export type Tolerance = { readonly atol: number; readonly rtol: number };

/** JSON-safe: what a double cannot hold, or JSON cannot, is text (`NaN`, `Infinity`, large integers). */
export type ElementValue = number | string;

export type WorstElement = {
  readonly index: readonly number[];
  readonly actual: ElementValue;
  readonly expected: ElementValue;
};

/**
 * How one output compares with its reference. Errors and cosine are over the elements finite on both sides;
 * relative errors over those of them whose expected value is not zero.
 */
export type Comparison = {
  readonly pass: boolean;
  /** Why the tensors cannot be compared at all: other type, other shape, damaged. */
  readonly problem: string | undefined;
  readonly elements: number;
  /** Elements outside the tolerance, those with a NaN or an infinity on one side only included. */
  readonly outside: number;
  readonly maxAbs: number;
  readonly meanAbs: number;
  readonly maxRel: number;
  readonly meanRel: number;
  /** For f16, bf16, f32 and f64. */
  readonly maxUlp: number | undefined;
  readonly cosine: number;
  readonly nan: { readonly actual: number; readonly expected: number };
  readonly inf: { readonly actual: number; readonly expected: number };
  /** Elements where only one side is NaN, or the infinities differ. */
  readonly nonFiniteMismatches: number;
  /**
   * The share of rows along the last axis whose largest element is the same; where the reference has a tie,
   * either will do. Undefined where there is no such choice (last axis of one, no order).
   */
  readonly argmaxAgreement: number | undefined;
  /** The first of the elements that miss the tolerance by the largest factor, or come closest to it; undefined where all are equal. */
  readonly worst: WorstElement | undefined;
  readonly tolerance: Tolerance;
};

const CHUNK = 1 << 14;

/** Keeps the factor by which an exact comparison fails finite, so that the largest error is still the worst. */
const LEAST_ALLOWED = 2 ** -512;

export function compareTensors(actual: TensorData, expected: TensorData, tolerance: Tolerance): Comparison {
  const problem = incomparable(actual, expected);
  if (problem !== undefined) return { ...emptyComparison(tolerance), pass: false, problem };
  if (expected.dtype === 'string') return compareStrings(actual, expected, tolerance);
  return new Accumulation(actual, expected, tolerance).result();
}

function incomparable(actual: TensorData, expected: TensorData): string | undefined {
  if (actual.dtype !== expected.dtype) return `type ${actual.dtype} where ${expected.dtype} is expected`;
  if (actual.shape.length !== expected.shape.length || actual.shape.some((d, i) => d !== expected.shape[i]))
    return `shape [${actual.shape.join(', ')}] where [${expected.shape.join(', ')}] is expected`;
  return malformed(actual) ?? malformed(expected);
}

function emptyComparison(tolerance: Tolerance): Comparison {
  return {
    pass: true,
    problem: undefined,
    elements: 0,
    outside: 0,
    maxAbs: 0,
    meanAbs: 0,
    maxRel: 0,
    meanRel: 0,
    maxUlp: undefined,
    cosine: 1,
    nan: { actual: 0, expected: 0 },
    inf: { actual: 0, expected: 0 },
    nonFiniteMismatches: 0,
    argmaxAgreement: undefined,
    worst: undefined,
    tolerance,
  };
}

function compareStrings(actual: TensorData, expected: TensorData, tolerance: Tolerance): Comparison {
  const [a, e] = [actual.strings ?? [], expected.strings ?? []];
  const differing = [...e.keys()].filter((i) => a[i] !== e[i]);
  const first = differing[0];
  return {
    ...emptyComparison(tolerance),
    pass: first === undefined,
    elements: e.length,
    outside: differing.length,
    worst:
      first === undefined
        ? undefined
        : { index: positionOf(first, expected.shape), actual: a[first] ?? '', expected: e[first] ?? '' },
  };
}

/** One walk over both tensors, in pieces that stay in the cache. */
class Accumulation {
  #outside = 0;
  #finite = 0;
  #nonzero = 0;
  #maxAbs = 0;
  #sumAbs = 0;
  #maxRel = 0;
  #sumRel = 0;
  #maxUlp = 0;
  #dot = 0;
  #squaresA = 0;
  #squaresE = 0;
  #nanA = 0;
  #nanE = 0;
  #infA = 0;
  #infE = 0;
  #nonFiniteMismatches = 0;
  #worstScore = -1;
  #worstAt = 0;
  readonly #rows: RowMaxima;
  readonly #elements: number;

  constructor(
    private readonly actual: TensorData,
    private readonly expected: TensorData,
    private readonly tolerance: Tolerance,
  ) {
    const { dtype, shape } = expected;
    this.#elements = elementCount(shape) * (dtype.startsWith('c') ? 2 : 1);
    this.#rows = new RowMaxima(shape.at(-1) ?? 1);
    const decodeA = decoderOf(dtype, actual.bytes)!;
    const decodeE = decoderOf(dtype, expected.bytes)!;
    const ulps = ulpMeterOf(dtype, actual.bytes, expected.bytes);
    const difference = exactDifferenceOf(actual, expected);
    const ordered = hasOrder(dtype, shape);
    const [a, e, d] = [new Float64Array(CHUNK), new Float64Array(CHUNK), new Float64Array(CHUNK)];
    for (let start = 0; start < this.#elements; start += CHUNK) {
      const count = Math.min(CHUNK, this.#elements - start);
      decodeA(start, count, a);
      decodeE(start, count, e);
      if (difference) difference(start, count, d);
      else for (let i = 0; i < count; i++) d[i] = Math.abs(a[i]! - e[i]!);
      this.#add(start, count, a, e, d);
      if (ordered) this.#rows.add(count, a, e);
      if (ulps) this.#maxUlp = Math.max(this.#maxUlp, ulps(start, count, a, e));
    }
  }

  #add(start: number, count: number, a: Float64Array, e: Float64Array, d: Float64Array): void {
    const { atol, rtol } = this.tolerance;
    let [outside, finite, nonzero, sumAbs, sumRel, dot, squaresA, squaresE] = [0, 0, 0, 0, 0, 0, 0, 0];
    let [maxAbs, maxRel, worstScore, worstAt] = [this.#maxAbs, this.#maxRel, this.#worstScore, this.#worstAt];
    for (let i = 0; i < count; i++) {
      const va = a[i]!;
      const ve = e[i]!;
      const error = d[i]!;
      const magnitude = Math.abs(ve);
      if (!(Math.abs(va) < Infinity && magnitude < Infinity)) {
        if (this.#addNonFinite(va, ve)) {
          outside++;
          if (worstScore < Infinity) [worstScore, worstAt] = [Infinity, start + i];
        }
        continue;
      }
      finite++;
      sumAbs += error;
      if (error > maxAbs) maxAbs = error;
      dot += va * ve;
      squaresA += va * va;
      squaresE += ve * ve;
      if (magnitude > 0) {
        const relative = error / magnitude;
        nonzero++;
        sumRel += relative;
        if (relative > maxRel) maxRel = relative;
      }
      const allowed = atol + rtol * magnitude;
      if (error > allowed) outside++;
      const score = error === 0 ? 0 : error / Math.max(allowed, LEAST_ALLOWED);
      if (score > worstScore) {
        worstScore = score;
        worstAt = start + i;
      }
    }
    this.#outside += outside;
    this.#finite += finite;
    this.#nonzero += nonzero;
    this.#sumAbs += sumAbs;
    this.#sumRel += sumRel;
    this.#dot += dot;
    this.#squaresA += squaresA;
    this.#squaresE += squaresE;
    [this.#maxAbs, this.#maxRel, this.#worstScore, this.#worstAt] = [maxAbs, maxRel, worstScore, worstAt];
  }

  /** Whether the two differ. */
  #addNonFinite(a: number, e: number): boolean {
    if (Number.isNaN(a)) this.#nanA++;
    else if (!Number.isFinite(a)) this.#infA++;
    if (Number.isNaN(e)) this.#nanE++;
    else if (!Number.isFinite(e)) this.#infE++;
    const differs = Number.isNaN(a) ? !Number.isNaN(e) : a !== e;
    if (differs) this.#nonFiniteMismatches++;
    return differs;
  }

  result(): Comparison {
    const { dtype, shape } = this.expected;
    const norms = Math.sqrt(this.#squaresA) * Math.sqrt(this.#squaresE);
    const bothZero = this.#squaresA === 0 && this.#squaresE === 0;
    return {
      pass: this.#outside === 0,
      problem: undefined,
      elements: elementCount(shape),
      outside: this.#outside,
      maxAbs: this.#maxAbs,
      meanAbs: this.#sumAbs / Math.max(1, this.#finite),
      maxRel: this.#maxRel,
      meanRel: this.#sumRel / Math.max(1, this.#nonzero),
      maxUlp: ulpMeterOf(dtype, NOTHING, NOTHING) ? this.#maxUlp : undefined,
      cosine: bothZero ? 1 : norms === 0 ? 0 : Math.max(-1, Math.min(1, this.#dot / norms)),
      nan: { actual: this.#nanA, expected: this.#nanE },
      inf: { actual: this.#infA, expected: this.#infE },
      nonFiniteMismatches: this.#nonFiniteMismatches,
      argmaxAgreement: this.#rows.agreement(),
      worst: this.#worst(),
      tolerance: this.tolerance,
    };
  }

  #worst(): WorstElement | undefined {
    if (this.#worstScore <= 0) return undefined;
    const { dtype, shape } = this.expected;
    const at = this.#worstAt;
    const parts = dtype.startsWith('c') ? [...shape, 2] : shape;
    return {
      index: positionOf(at, parts),
      actual: valueAt(this.actual, at),
      expected: valueAt(this.expected, at),
    };
  }
}

const NOTHING = new Uint8Array();

function positionOf(index: number, shape: readonly number[]): number[] {
  const position: number[] = [];
  let rest = index;
  for (const dim of shape.toReversed()) {
    position.push(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return position.reverse();
}

function valueAt({ dtype, bytes }: TensorData, at: number): ElementValue {
  if (dtype === 'i64' || dtype === 'u64') {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at * 8, 8);
    const value = dtype === 'i64' ? view.getBigInt64(0, true) : view.getBigUint64(0, true);
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  const one = new Float64Array(1);
  decoderOf(dtype, bytes)?.(at, 1, one);
  return Number.isFinite(one[0]) ? one[0]! : String(one[0]);
}
