import type { Shape } from '../src/ir/dim.js';

/** An order of axes: axis i is the one that was at `perm[i]`. */
export type Permutation = readonly number[];

export const isIdentity = (perm: Permutation): boolean => perm.every((p, i) => p === i);

export const samePermutation = (a: Permutation, b: Permutation): boolean => a.join() === b.join();

export const inverse = (perm: Permutation): Permutation => perm.map((_, i) => perm.indexOf(i));

/** The transpose of a transpose. */
export const composed = (outer: Permutation, inner: Permutation): Permutation => outer.map((p) => inner[p]!);

/** The last two axes exchanged. */
export const lastTwo = (rank: number): Permutation =>
  Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));

/** Whether the last axis stays where it is, so that whole rows are moved. */
export const keepsLast = (perm: Permutation): boolean => perm.at(-1) === perm.length - 1;

/** Whether heads and rows are exchanged. */
export const swapsHeads = (perm: Permutation): boolean => perm.join() === '0,2,1,3';

/** A transpose whose axes of extent above 1 stay in order moves no element. */
export const movesNothing = (shape: Shape, perm: Permutation): boolean => {
  const moving = perm.filter((p) => shape[p] !== 1);
  return moving.every((p, i) => i === 0 || moving[i - 1]! < p);
};
