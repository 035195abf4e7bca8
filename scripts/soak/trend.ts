/** A straight line through measurements: how far it rises from the first to the last, and how sure that is. */
export interface Trend {
  readonly rise: number;
  /** Standard error of the rise. */
  readonly error: number;
}

/** Least squares over equally spaced measurements. */
export function trendOf(values: readonly number[]): Trend {
  const n = values.length;
  if (n < 3) return { rise: 0, error: Number.POSITIVE_INFINITY };
  const middle = (n - 1) / 2;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const spread = values.reduce((s, _, i) => s + (i - middle) ** 2, 0);
  const slope = values.reduce((s, y, i) => s + (i - middle) * (y - mean), 0) / spread;
  const residual = values.reduce((s, y, i) => s + (y - mean - slope * (i - middle)) ** 2, 0);
  return { rise: slope * (n - 1), error: Math.sqrt(residual / (n - 2) / spread) * (n - 1) };
}

/** Whether memory grows by more than `allowed` over the measurements, beyond what chance explains. */
export const grows = ({ rise, error }: Trend, allowed: number): boolean => rise - 3 * error > allowed;
