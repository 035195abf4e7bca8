import type { Literal } from '../../src/ir/literal.js';
import { floatsOf, packedOnce, panels } from './packed-weights.js';

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
  return packedOnce(l, `winograd ${width}`, 36 * plane, (to) => {
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
  return packedOnce(l, 'lines', 6 * kh * c * m, (to) => {
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
