/** An intermediate value's memory: how long it lives, in steps, and its size in bytes. */
export interface LiveRange {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

const align = (n: number): number => Math.ceil(n / 64) * 64;

/**
 * Greedy by size (Pisarchyk and Lee, arXiv 2001.03288, section 5.3): the largest range first, each at the
 * smallest gap that fits among the ranges it overlaps in time. Offsets are 64-byte aligned.
 */
export function planMemory(ranges: readonly LiveRange[]): MemoryPlan {
  const order = ranges.map((_, i) => i).sort((a, b) => ranges[b]!.bytes - ranges[a]!.bytes || a - b);
  const offsets = ranges.map(() => 0);
  const placed: number[] = [];
  let total = 0;
  for (const i of order) {
    const r = ranges[i]!;
    const size = align(r.bytes);
    const busy = placed.filter((j) => ranges[j]!.first <= r.last && r.first <= ranges[j]!.last);
    busy.sort((a, b) => offsets[a]! - offsets[b]!);
    let at = 0;
    let best: number | undefined;
    let bestGap = Number.POSITIVE_INFINITY;
    for (const j of busy) {
      const gap = offsets[j]! - at;
      if (gap >= size && gap < bestGap) {
        best = at;
        bestGap = gap;
      }
      at = Math.max(at, offsets[j]! + align(ranges[j]!.bytes));
    }
    offsets[i] = best ?? at;
    placed.push(i);
    total = Math.max(total, offsets[i]! + size);
  }
  return { offsets, bytes: total };
}
