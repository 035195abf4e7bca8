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
/** A packing of a literal, each made once. */
export const packedOnce = (
  l: Literal,
  key: string,
  count: number,
  pack: (to: Float32Array) => void,
): Literal =>
  remembered(l, key, () =>
    computedLiteral('f32', [count], () => {
      const to = new Float32Array(count);
      pack(to);
      return to;
    }),
  );

export const panels = (n: number, width: number): number => Math.ceil(n / width);

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
  return packedOnce(l, `matrices ${count} ${k} ${n} ${transposed} ${width}`, count * each, (to) => {
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
  return packedOnce(l, `conv ${groups} ${width}`, groups * panels(n, width) * taps * c * width, (to) => {
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
  return packedOnce(l, `phases ${width} ${key}`, w.groups * panels(n, width) * width * c * window, (to) => {
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
  return packedOnce(l, 'depthwise', taps * c, (to) => {
    const from = floatsOf(l);
    for (let i = 0; i < c; i++) for (let t = 0; t < taps; t++) to[t * c + i] = from[i * taps + t]!;
  });
}

/** Weights [M, C, taps] as [M][taps][C], as ait::few_conv2d reads them. */
export function channelsLastWeights(l: Literal): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  return packedOnce(l, 'channels last', l.size, (to) => {
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
  return packedOnce(l, 'groups', l.size, (to) => {
    const from = floatsOf(l);
    for (let o = 0; o < m; o++)
      for (let i = 0; i < c; i++)
        for (let t = 0; t < taps; t++) to[(t * c + i) * m + o] = from[(o * c + i) * taps + t]!;
  });
}

/** A matrix of so many rows and columns, transposed. */
export const transposedMatrix = (l: Literal, rows: number, columns: number): Literal =>
  packedOnce(l, `transposed ${rows}`, rows * columns, (to) => {
    const from = floatsOf(l);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j]!;
  });

/** For ait::plane_conv2d: [ky][kx][C][K]. */
export function planeWeights(l: Literal): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  return packedOnce(l, 'planes', m * c * taps, (to) => {
    const from = floatsOf(l);
    for (let o = 0; o < m; o++)
      for (let i = 0; i < c; i++)
        for (let t = 0; t < taps; t++) to[(t * c + i) * m + o] = from[(o * c + i) * taps + t]!;
  });
}
