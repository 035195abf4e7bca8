import { type Literal, literal } from '../../src/ir/literal.js';
import { bitsOf } from '../../src/ir/type.js';
import { type PhaseWindow, phasesOf, remembering, tapsOfWeights } from '../shared/packing.js';

type Elements = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;
type Packing = (from: Elements, to: Elements) => void;

function elements(bytes: Uint8Array, size: number): Elements {
  const own = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const n = own.byteLength / size;
  switch (size) {
    case 1:
      return own;
    case 2:
      return new Uint16Array(own.buffer, own.byteOffset, n);
    case 4:
      return new Uint32Array(own.buffer, own.byteOffset, n);
    default:
      return new BigUint64Array(own.buffer, own.byteOffset, n);
  }
}

/** Elements in a row, by the fastest way there is. */
function copy(from: Elements, at: number, count: number, to: Elements, place: number): void {
  const size = from.BYTES_PER_ELEMENT;
  const bytes = (e: Elements, first: number): Uint8Array =>
    new Uint8Array(e.buffer, e.byteOffset + first * size, count * size);
  bytes(to, place).set(bytes(from, at));
}

const remembered = remembering<Literal, Literal>();
const once = (l: Literal, key: string, count: number, pack: Packing): Literal =>
  remembered(l, key, () => {
    const size = bitsOf[l.dtype] / 8;
    const bytes = new Uint8Array(count * size);
    pack(elements(l.bytes(), size), elements(bytes, size));
    return literal(l.dtype, [count], bytes);
  });

/** Elements of 16 bytes. */
export const wholeOf = (l: Literal): number => 128 / bitsOf[l.dtype];

export const roundUp = (n: number, to: number): number => Math.ceil(n / to) * to;

/** Rows of a matrix of weights, with zeros behind few: Hopper's copy engine is slow where there is nothing. */
export const paddedRows = (n: number): number => (n < 256 ? roundUp(n, 64) : n);

/** `count` matrices B as [n][k], rows filled up with zeros to whole 16 bytes, and zeros behind the last. */
export function packedColumns(l: Literal, count: number, k: number, n: number, transposed: boolean): Literal {
  const ld = roundUp(k, wholeOf(l));
  return once(
    l,
    `columns ${count} ${k} ${n} ${transposed}`,
    ((count - 1) * n + paddedRows(n)) * ld,
    (from, to) => {
      for (let b = 0; b < count; b++)
        for (let j = 0; j < n; j++) {
          const row = (b * n + j) * ld;
          if (transposed) {
            copy(from, (b * n + j) * k, k, to, row);
            continue;
          }
          const source = b * k * n + j;
          for (let i = 0; i < k; i++) to[row + i] = from[source + i * n]!;
        }
    },
  );
}

/** How many groups of a convolution are computed as one, with zeros between them, so that tiles are not empty. */
export function mergedGroups(groups: number, c: number, n: number): number {
  let merged = 1;
  while ((groups / merged) % 2 === 0 && c * merged < 32 && n * merged < 64) merged *= 2;
  return merged;
}

export interface ConvPacking {
  readonly groups: number;
  /** Groups that become one. */
  readonly merged: number;
  /** Channels of a merged group, with the zeros behind them. */
  readonly padded: number;
}

/** Weights [m, c / groups, taps] as [m][taps][padded], filled up with zeros like `packedColumns`. */
export function packedWindows(l: Literal, { groups, merged, padded }: ConvPacking): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  const ld = roundUp(taps * padded, wholeOf(l));
  const perGroup = m / groups;
  return once(l, `windows ${groups} ${merged} ${padded}`, paddedRows(m) * ld, (from, to) => {
    for (let o = 0; o < m; o++) {
      const first = o * ld + (Math.floor(o / perGroup) % merged) * c;
      const source = o * c * taps;
      if (taps === 1) {
        copy(from, source, c, to, first);
        continue;
      }
      for (let i = 0; i < c; i++)
        for (let t = 0; t < taps; t++) to[first + i + t * padded] = from[source + i * taps + t]!;
    }
  });
}

/** Depthwise weights [c, 1, taps] as [taps][c]. */
export function packedTaps(l: Literal): Literal {
  const c = l.shape[0]!;
  const taps = tapsOfWeights(l);
  return once(l, 'taps', taps * c, (from, to) => {
    for (let i = 0; i < c; i++) for (let t = 0; t < taps; t++) to[t * c + i] = from[i * taps + t]!;
  });
}

/** Weights [m, c, taps] as [taps][c][m]. */
export function packedStem(l: Literal): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  return once(l, 'stem', m * c * taps, (from, to) => {
    for (let o = 0; o < m; o++)
      for (let i = 0; i < c; i++)
        for (let t = 0; t < taps; t++) to[(t * c + i) * m + o] = from[(o * c + i) * taps + t]!;
  });
}

/** Weights [c, m / groups, kernel] of a transposed convolution: for each phase of the strides [m][taps][padded]. */
export function packedPhases(l: Literal, w: PhaseWindow, padded: number): Literal {
  const { kernel, strides, reaches, key } = phasesOf(w);
  const [c, n] = [l.shape[0]! / w.groups, l.shape[1]!];
  const window = kernel[0] * kernel[1];
  const tapsOf = (axis: 0 | 1, phase: number): readonly number[] =>
    Array.from({ length: kernel[axis] }, (_, t) => t).filter((t) => reaches(axis, phase, t));
  return once(l, `phases ${padded} ${key}`, w.groups * n * window * padded, (from, to) => {
    let at = 0;
    for (let py = 0; py < strides[0]; py++)
      for (let px = 0; px < strides[1]; px++)
        for (let o = 0; o < w.groups * n; o++)
          for (const y of tapsOf(0, py))
            for (const x of tapsOf(1, px)) {
              const source = (Math.floor(o / n) * c * n + (o % n)) * window + y * kernel[1] + x;
              for (let i = 0; i < c; i++) to[at + i] = from[source + i * n * window]!;
              at += padded;
            }
  });
}

/** Weights R [directions, rows, hidden] as pack_recurrent of recurrent_block.h lays them out. */
export function packedStates(l: Literal): Literal {
  const [directions, rows, hidden] = l.shape as readonly [number, number, number];
  const whole = wholeOf(l);
  const chunks = Math.ceil(hidden / whole);
  return once(l, 'states', directions * chunks * rows * whole, (from, to) => {
    for (let d = 0; d < directions; d++)
      for (let row = 0; row < rows; row++)
        for (let k = 0; k < hidden; k++) {
          const chunk = Math.floor(k / whole);
          to[((d * chunks + chunk) * rows + row) * whole + (k % whole)] =
            from[(d * rows + row) * hidden + k]!;
        }
  });
}
