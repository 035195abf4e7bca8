import { bf16Value, computedLiteral, f16Value, type Literal } from '../../src/ir/literal.js';
import { type PhaseWindow, phasesOf, remembering, tapsOfWeights } from '../shared/packing.js';

/** The elements of a float literal as f32. */
export function floatsOf(l: Literal): Float32Array {
  const bytes = l.bytes();
  switch (l.dtype) {
    case 'f32':
      return bytes.byteOffset % 4 === 0
        ? new Float32Array(bytes.buffer, bytes.byteOffset, l.size)
        : new Float32Array(bytes.slice().buffer);
    case 'f16':
    case 'bf16': {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const value = l.dtype === 'f16' ? f16Value : bf16Value;
      return Float32Array.from({ length: l.size }, (_, i) => value(view.getUint16(2 * i, true)));
    }
    default:
      return Float32Array.from(l.numbers());
  }
}

const remembered = remembering<Literal, Literal>();
const once = (l: Literal, key: string, count: number, pack: (to: Float32Array) => void): Literal =>
  remembered(l, key, () =>
    computedLiteral('f32', [count], () => {
      const to = new Float32Array(count);
      pack(to);
      return to;
    }),
  );

const panels = (n: number, width: number): number => Math.ceil(n / width);

/** B matrices as ait::pack_b lays them out in panels of `width` columns, one after another. */
export function packedMatrices(
  l: Literal,
  count: number,
  k: number,
  n: number,
  transposed: boolean,
  width: number,
): Literal {
  const each = panels(n, width) * k * width;
  return once(l, `matrices ${count} ${k} ${n} ${transposed} ${width}`, count * each, (to) => {
    const from = floatsOf(l);
    const [strideK, strideN] = transposed ? [1, k] : [n, 1];
    for (let b = 0; b < count; b++) {
      const source = b * k * n;
      for (let first = 0, at = b * each; first < n; first += width, at += k * width) {
        const columns = Math.min(width, n - first);
        for (let i = 0; i < k; i++)
          for (let j = 0; j < columns; j++)
            to[at + i * width + j] = from[source + i * strideK + (first + j) * strideN]!;
      }
    }
  });
}

/** Convolution weights [M, C / groups, taps] as ait::pack_conv_weights lays them out. */
export function packedConvWeights(l: Literal, groups: number, width: number): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  const n = m / groups;
  return once(l, `conv ${groups} ${width}`, groups * panels(n, width) * taps * c * width, (to) => {
    const from = floatsOf(l);
    let panel = 0;
    for (let g = 0; g < groups; g++)
      for (let first = 0; first < n; first += width, panel += taps * c * width) {
        const columns = Math.min(width, n - first);
        for (let j = 0; j < columns; j++) {
          const filter = (g * n + first + j) * c * taps;
          for (let i = 0; i < c; i++)
            for (let t = 0; t < taps; t++) to[panel + (t * c + i) * width + j] = from[filter + i * taps + t]!;
        }
      }
  });
}

/** Weights [C, M / groups, kernel] as ait::pack_conv_transpose_weights lays them out: panels for each phase. */
export function packedPhaseWeights(l: Literal, w: PhaseWindow, width: number): Literal {
  const { kernel, strides, reaches, key } = phasesOf(w);
  const [c, n] = [l.shape[0]! / w.groups, l.shape[1]!];
  const window = kernel[0] * kernel[1];
  // Every tap belongs to exactly one phase.
  return once(l, `phases ${width} ${key}`, w.groups * panels(n, width) * width * c * window, (to) => {
    const from = floatsOf(l);
    let at = 0;
    for (let g = 0; g < w.groups; g++)
      for (let py = 0; py < strides[0]; py++)
        for (let px = 0; px < strides[1]; px++)
          for (let first = 0; first < n; first += width)
            for (let tap = 0; tap < window; tap++) {
              if (!reaches(0, py, Math.floor(tap / kernel[1])) || !reaches(1, px, tap % kernel[1])) continue;
              for (let i = 0; i < c; i++, at += width)
                for (let j = first; j < Math.min(n, first + width); j++)
                  to[at + j - first] = from[((g * c + i) * n + j) * window + tap]!;
            }
  });
}

/** Depthwise weights [C, 1, taps] as [taps][C]. */
export function packedDepthwiseWeights(l: Literal): Literal {
  const c = l.shape[0]!;
  const taps = tapsOfWeights(l);
  return once(l, 'depthwise', taps * c, (to) => {
    const from = floatsOf(l);
    for (let i = 0; i < c; i++) for (let t = 0; t < taps; t++) to[t * c + i] = from[i * taps + t]!;
  });
}

/** Weights [M, C, taps] as [M][taps][C], as ait::few_conv2d reads them. */
export function channelsLastWeights(l: Literal): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  return once(l, 'channels last', l.size, (to) => {
    const from = floatsOf(l);
    for (let o = 0; o < m; o++)
      for (let i = 0; i < c; i++)
        for (let t = 0; t < taps; t++) to[(o * taps + t) * c + i] = from[(o * c + i) * taps + t]!;
  });
}

/** Weights [M, C / groups, taps] as ait::grouped_conv2d reads them: [taps][C / groups][M]. */
export function packedGroupWeights(l: Literal): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  return once(l, 'groups', l.size, (to) => {
    const from = floatsOf(l);
    for (let o = 0; o < m; o++)
      for (let i = 0; i < c; i++)
        for (let t = 0; t < taps; t++) to[(t * c + i) * m + o] = from[(o * c + i) * taps + t]!;
  });
}

/** G of winograd.h: filters of three taps at the points 0, ±5/8, ±3/2 and infinity. */
const winogradFilter = ((): readonly (readonly [number, number, number])[] => {
  const [a2, b2] = [25 / 64, 9 / 4];
  const u = 1 / (2 * a2 * (a2 - b2));
  const v = 1 / (2 * b2 * (b2 - a2));
  return [
    [1 / (a2 * b2), 0, 0],
    [u, 0.625 * u, a2 * u],
    [u, -0.625 * u, a2 * u],
    [v, 1.5 * v, b2 * v],
    [v, -1.5 * v, b2 * v],
    [0, 0, 1],
  ];
})();

/** Weights [M, C, 3, 3] transformed for F(4 × 4, 3 × 3): 36 matrices C × M, each in panels of `width` columns. */
export function winogradWeights(l: Literal, width: number): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const plane = panels(m, width) * c * width;
  return once(l, `winograd ${width}`, 36 * plane, (to) => {
    const from = floatsOf(l);
    const rows = new Float64Array(18);
    for (let o = 0; o < m; o++)
      for (let i = 0; i < c; i++) {
        const filter = (o * c + i) * 9;
        const at = (Math.floor(o / width) * c + i) * width + (o % width);
        for (let p = 0; p < 6; p++) {
          const [g0, g1, g2] = winogradFilter[p]!;
          for (let t = 0; t < 3; t++)
            rows[p * 3 + t] =
              g0 * from[filter + t]! + g1 * from[filter + 3 + t]! + g2 * from[filter + 6 + t]!;
        }
        for (let p = 0; p < 6; p++)
          for (let q = 0; q < 6; q++) {
            const [g0, g1, g2] = winogradFilter[q]!;
            to[(p * 6 + q) * plane + at] = g0 * rows[p * 3]! + g1 * rows[p * 3 + 1]! + g2 * rows[p * 3 + 2]!;
          }
      }
  });
}

/** For ait::line_conv2d: [point][ky][C][K], windows three wide. */
export function lineWeights(l: Literal): Literal {
  const [m, c, kh] = l.shape as [number, number, number];
  return once(l, 'lines', 6 * kh * c * m, (to) => {
    const from = floatsOf(l);
    let at = 0;
    for (const [g0, g1, g2] of winogradFilter)
      for (let y = 0; y < kh; y++)
        for (let i = 0; i < c; i++)
          for (let o = 0; o < m; o++) {
            const taps = ((o * c + i) * kh + y) * 3;
            to[at++] = g0 * from[taps]! + g1 * from[taps + 1]! + g2 * from[taps + 2]!;
          }
  });
}

/** A matrix of so many rows and columns, transposed. */
export const transposedMatrix = (l: Literal, rows: number, columns: number): Literal =>
  once(l, `transposed ${rows}`, rows * columns, (to) => {
    const from = floatsOf(l);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j]!;
  });

/** For ait::plane_conv2d: [ky][kx][C][K]. */
export function planeWeights(l: Literal): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  return once(l, 'planes', m * c * taps, (to) => {
    const from = floatsOf(l);
    for (let o = 0; o < m; o++)
      for (let i = 0; i < c; i++)
        for (let t = 0; t < taps; t++) to[(t * c + i) * m + o] = from[(o * c + i) * taps + t]!;
  });
}
