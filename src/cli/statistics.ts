import { decoderOf, elementCount, type TensorData } from '../support/tensor-data.js';

export interface Statistics {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly nan: number;
  readonly inf: number;
}

const CHUNK = 1 << 14;

/** Of the finite elements; undefined where there are none, or no numbers. */
export function statisticsOf(t: TensorData): Statistics | undefined {
  const decode = decoderOf(t.dtype, t.bytes);
  if (decode === undefined || t.dtype === 'string' || t.dtype.startsWith('c')) return undefined;
  const piece = new Float64Array(CHUNK);
  let [min, max, sum, count, nan, inf] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0, 0];
  for (let start = 0, total = elementCount(t.shape); start < total; start += CHUNK) {
    const length = Math.min(CHUNK, total - start);
    decode(start, length, piece);
    for (const x of piece.subarray(0, length)) {
      if (Number.isNaN(x)) nan++;
      else if (!Number.isFinite(x)) inf++;
      else {
        min = Math.min(min, x);
        max = Math.max(max, x);
        sum += x;
        count++;
      }
    }
  }
  return count === 0 && nan + inf === 0 ? undefined : { min, max, mean: sum / count, nan, inf };
}

/** A few significant digits, never many. */
export function formatNumber(x: number): string {
  if (!Number.isFinite(x)) return '–';
  if (Number.isInteger(x) && Math.abs(x) < 1e7) return String(x);
  const size = Math.abs(x);
  return size >= 1e-3 && size < 1e6 ? String(Number(x.toPrecision(5))) : x.toExponential(3);
}

export const typeText = ({ dtype, shape }: Pick<TensorData, 'dtype' | 'shape'>): string =>
  `${dtype}[${shape.join(',')}]`;
