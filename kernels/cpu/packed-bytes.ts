import type { CpuTarget } from '../../codegen/target.js';
import { computedLiteral, type Literal } from '../../src/ir/literal.js';
import { remembering, signedBytes, tapsOfWeights } from '../shared/packing.js';

/** Elements of k that one instruction of the 8-bit kernels sums: qgemm.h's kQGroup. */
export const qGroup = (t: CpuTarget): 4 | 2 =>
  t.features.includes('__AVX512VNNI__') && !t.features.includes('__clang__') ? 4 : 2;

export interface BytePacking {
  readonly width: number;
  readonly group: 4 | 2;
}

/** One B of k × n in the layout of qgemm.h: panels, then the sums of their columns. */
function pack(
  k: number,
  n: number,
  at: (k: number, n: number) => number,
  how: BytePacking,
  out: DataView,
): void {
  const { width, group } = how;
  const groups = Math.ceil(k / group);
  const panels = Math.ceil(n / width);
  const sums = panels * groups * width * 4;
  for (let column = 0; column < panels * width; column++) {
    let sum = 0;
    const panel = Math.floor(column / width) * groups;
    for (let i = 0; i < groups * group; i++) {
      const v = column < n && i < k ? at(i, column) : 0;
      const to = ((panel + Math.floor(i / group)) * width + (column % width)) * group + (i % group);
      if (group === 4) out.setInt8(to, v);
      else out.setInt16(2 * to, v, true);
      sum += v;
    }
    out.setInt32(sums + 4 * column, sum, true);
  }
}

const packedBytes = (k: number, n: number, { width, group }: BytePacking): number =>
  Math.ceil(n / width) * width * (Math.ceil(k / group) * 4 + 4);

const remembered = remembering<Literal, Literal>();
const once = (
  l: Literal,
  key: string,
  size: number,
  fill: (out: (at: number) => DataView) => void,
): Literal =>
  remembered(l, key, () =>
    computedLiteral('u8', [size], () => {
      const bytes = new Uint8Array(size);
      fill((at) => new DataView(bytes.buffer, at));
      return bytes;
    }),
  );

/** B matrices as ait::pack_qb lays them out, one after another. */
export function packedByteMatrices(
  l: Literal,
  how: BytePacking & {
    readonly count: number;
    readonly k: number;
    readonly n: number;
    readonly transposed: boolean;
  },
): Literal {
  const { count, k, n, transposed } = how;
  const each = packedBytes(k, n, how);
  return once(l, JSON.stringify(how), count * each, (out) => {
    const from = signedBytes(l);
    for (let b = 0; b < count; b++)
      pack(k, n, (i, j) => from[b * k * n + (transposed ? j * k + i : i * n + j)]!, how, out(b * each));
  });
}

/** Convolution weights [M, C / groups, taps] as ait::pack_qconv_weights lays them out. */
export function packedByteConvWeights(l: Literal, groups: number, how: BytePacking): Literal {
  const [m, c] = [l.shape[0]!, l.shape[1]!];
  const taps = tapsOfWeights(l);
  const [k, n] = [taps * c, m / groups];
  const each = packedBytes(k, n, how);
  return once(l, `conv ${groups} ${JSON.stringify(how)}`, groups * each, (out) => {
    const from = signedBytes(l);
    for (let g = 0; g < groups; g++)
      pack(k, n, (i, j) => from[((g * n + j) * c + (i % c)) * taps + Math.floor(i / c)]!, how, out(g * each));
  });
}

/** Depthwise weights [C, 1, taps] as [taps][C], unchanged. */
export function depthwiseBytes(l: Literal): Literal {
  const c = l.shape[0]!;
  const taps = tapsOfWeights(l);
  return computedLiteral(l.dtype, [taps, c], () => {
    const bytes = l.bytes();
    const out = new Uint8Array(bytes.length);
    for (let i = 0; i < c; i++) for (let t = 0; t < taps; t++) out[t * c + i] = bytes[i * taps + t]!;
    return out;
  });
}
