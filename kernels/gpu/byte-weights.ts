import { type Literal, literal } from '../../src/ir/literal.js';
import { remembering, signedBytes, tapsOfWeights } from '../shared/packing.js';

/** Which line of a right operand each element belongs to. */
export interface ByteLines {
  /** Tells layouts of one literal apart. */
  readonly layout: string;
  readonly count: number;
  readonly of: (element: number) => number;
  /** Lines that have zero points of their own; those of further matrices follow the same ones. */
  readonly points: number;
}

/** Constants of a right operand as signed bytes around zero points. */
export interface SignedWeights {
  readonly signed: Literal;
  /** Sums of the lines. */
  readonly sums: Int32Array;
  /** Undefined where only the run knows them. */
  readonly points: Int32Array | undefined;
}

const remembered = remembering<Literal, SignedWeights>();

/** Zero points are taken off the bytes where bytes hold the differences. */
export const signedWeights = (l: Literal, zero: Literal | undefined, lines: ByteLines): SignedWeights =>
  remembered(l, `${lines.layout} ${zero?.key}`, () => {
    const signed = signedBytes(l).slice();
    const less = l.dtype === 'u8' ? 128 : 0;
    const given = zero?.numbers();
    let points =
      given && Int32Array.from({ length: lines.points }, (_, i) => given[i % given.length]! - less);
    const at = (i: number): number => points![lines.of(i) % lines.points]!;
    if (points && signed.every((v, i) => v - at(i) >= -128 && v - at(i) <= 127)) {
      for (let i = 0; i < signed.length; i++) signed[i] = signed[i]! - at(i);
      points = new Int32Array(lines.points);
    }
    const sums = new Int32Array(lines.count);
    for (let i = 0; i < signed.length; i++) sums[lines.of(i)]! += signed[i]!;
    return { signed: literal('i8', l.shape, new Uint8Array(signed.buffer)), sums, points };
  });

const merges = remembering<SignedWeights, SignedWeights>();

/**
 * Weights [m, c / groups, taps] of a convolution that computes `merged` of its groups as one. Where a channel is
 * another group's, they are their zero points.
 */
export function mergedBytes(w: SignedWeights, groups: number, merged: number): SignedWeights {
  if (merged === 1) return w;
  return merges(w, String(merged), () => {
    const [m, c, ...kernel] = w.signed.shape;
    const taps = tapsOfWeights(w.signed);
    const [row, line] = [c! * taps, c! * taps * merged];
    const bytes = w.signed.bytes();
    const spread = new Int8Array(m! * line);
    const sums = w.sums.slice();
    for (let o = 0; o < m!; o++) {
      const point = w.points![o]!;
      spread.fill(point, o * line, (o + 1) * line);
      const group = Math.floor((o * groups) / m!) % merged;
      spread.set(bytes.subarray(o * row, (o + 1) * row), o * line + group * row);
      sums[o]! += point * (line - row);
    }
    const signed = literal('i8', [m!, c! * merged, ...kernel], new Uint8Array(spread.buffer));
    return { signed, sums, points: w.points };
  });
}
