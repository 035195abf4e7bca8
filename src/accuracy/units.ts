/** Quantities as people read them. */

export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

/** Estimated operations. */
export function formatWork(operations: number): string {
  return scaled(operations, 1000, ['', 'k', 'M', 'G', 'T', 'P']).trim();
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let [rest, unit] = [value, 0];
  while (rest >= base * 0.9995 && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[unit]}`;
}

/** Never 100 % or 0 % unless it is all or nothing. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const percent = (100 * part) / whole;
  if (part > 0 && percent < 0.1) return '< 0.1 %';
  if (part < whole && percent > 99.9) return '> 99.9 %';
  return `${percent.toFixed(percent === 0 || percent === 100 ? 0 : 1)} %`;
}

export function formatError(value: number): string {
  if (value === 0) return '0';
  return value >= 0.001 && value < 10000 ? String(Number(value.toPrecision(3))) : value.toExponential(2);
}

export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** The time of a part of one run. */
export function formatRunTime(seconds: number): string {
  if (seconds < 0.0009995) return `${Math.round(seconds * 1e6)} µs`;
  return seconds < 0.9995
    ? `${Number((seconds * 1000).toPrecision(3))} ms`
    : `${Number(seconds.toPrecision(3))} s`;
}
