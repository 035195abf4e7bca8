import { bounds, type Dim } from '../../src/ir/dim.js';
import { bitsOf, type DType } from '../../src/ir/type.js';

/** Whether an extent is a multiple of n whatever its symbols are. */
export const isMultiple = (d: Dim, n: number): boolean =>
  typeof d === 'number' ? d % n === 0 : d.terms.every((t) => t.coef % n === 0);

/** How many neighbouring elements of these types one access of 16 bytes moves, if all steps are multiples of it. */
export function vectorWidth(types: readonly DType[], ...steps: readonly Dim[]): number {
  let width = 16 / Math.max(...types.map((t) => bitsOf[t] / 8));
  while (width > 1 && !steps.every((d) => isMultiple(d, width))) width /= 2;
  return width;
}

/** The smallest power of two that is not below x. */
export const powerOfTwo = (x: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, x)));

/** The largest that an extent can be, for choices that only cost speed when it is not known. */
export const atMost = (d: Dim): number => bounds(d)[1];

/** Blocks that fill a device, a few waves or less; the schedules of all devices are made for this many. */
export const manyBlocks = 132;

/** An extent for choices: the largest it can be, or some of the smallest where there is no largest. */
export const typical = (d: Dim): number => {
  const [least, most] = bounds(d);
  return Math.max(1, Number.isFinite(most) ? most : 8 * Math.max(1, least));
};

/** Columns that a thread stores at a time. */
export const storeWidth = (t: DType, columns: Dim): number => {
  let width = bitsOf[t] <= 16 ? 8 : 4;
  while (width > 1 && !isMultiple(columns, width)) width /= 2;
  return width;
};
