import { type Dim, floordiv, mul, type Shape, same } from '../src/ir/dim.js';

/** Neighbouring axes before and after a reshape that hold the same elements: [start, end) on both sides. */
interface AxisGroup {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

const divides = (a: Dim, b: Dim): boolean => b !== 0 && same(mul(floordiv(a, b), b), a);

/**
 * How a reshape merges and splits axes, in the smallest groups that can be told apart; undefined when the
 * extents do not show it.
 */
export function axisGroups(from: Shape, to: Shape): readonly AxisGroup[] | undefined {
  const groups: { from: [number, number]; to: [number, number] }[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length && j < to.length) {
    const start: [number, number] = [i, j];
    let a = from[i++]!;
    let c = to[j++]!;
    while (!same(a, c)) {
      if (j < to.length && divides(a, c)) c = mul(c, to[j++]!);
      else if (i < from.length && divides(c, a)) a = mul(a, from[i++]!);
      else return undefined;
    }
    groups.push({ from: [start[0], i], to: [start[1], j] });
  }
  const last = groups.at(-1);
  if (!last) return undefined;
  // Axes of extent 1 at the end belong to the last group.
  if (from.slice(i).some((d) => d !== 1) || to.slice(j).some((d) => d !== 1)) return undefined;
  last.from[1] = from.length;
  last.to[1] = to.length;
  return groups;
}

const size = ([start, end]: readonly [number, number]): number => end - start;
const range = ([start, end]: readonly [number, number]): readonly number[] =>
  Array.from({ length: end - start }, (_, i) => start + i);

/** For a reshape that only merges axes: the axes it merges into each of its result's. */
export function mergedAxes(from: Shape, to: Shape): readonly (readonly number[])[] | undefined {
  const groups = axisGroups(from, to);
  return groups?.every((g) => size(g.to) === 1) ? groups.map((g) => range(g.from)) : undefined;
}

/** For a reshape that only splits axes: the axes it splits each of its operand's into. */
export function splitAxes(from: Shape, to: Shape): readonly (readonly number[])[] | undefined {
  const groups = axisGroups(from, to);
  return groups?.every((g) => size(g.from) === 1) ? groups.map((g) => range(g.to)) : undefined;
}
