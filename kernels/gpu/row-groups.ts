import { type GpuTarget, warpOf } from '../../codegen/target.js';
import { type Dim, mul } from '../../src/ir/dim.js';
import type { DType } from '../../src/ir/type.js';
import { atMost, manyBlocks, powerOfTwo, vectorWidth } from './vector-width.js';

/** How rows are shared among threads that hold them in registers. */
export interface RowGroups {
  /** Threads of one row: a power of two within a warp, or the whole block. */
  readonly group: number;
  /** Vectors that each of them holds. */
  readonly items: number;
  readonly vector: number;
  readonly threads: number;
  /** Rows of a block. */
  readonly rows: number;
}

/** Values a thread may hold without spilling them. */
const mostValues = 32;

/** Threads of a block for things that `group` of them share: few where that gives every multiprocessor a block. */
export const blockOf = (group: number, many: Dim, most: number, target: GpuTarget): number =>
  Math.max(group, warpOf(target), Math.min(most, powerOfTwo((atMost(many) * group) / manyBlocks)));

/** The groups for rows of n elements, or undefined where no block holds a row. */
export function rowGroups(
  types: readonly DType[],
  many: Dim,
  n: Dim,
  target: GpuTarget,
): RowGroups | undefined {
  const vector = vectorWidth(types, n);
  const vectors = Math.ceil(atMost(n) / vector);
  if (vectors * vector > 1024 * mostValues) return undefined;
  const most = Math.min(mostValues / vector, 8);
  // Rows that a warp holds need no shared memory.
  const wide = vectors <= 32 * most ? 32 : 1024;
  const group = Math.min(wide, powerOfTwo(vectors / (wide === 32 ? 2 : Math.min(4, most))));
  const items = Math.max(1, Math.ceil(vectors / group));
  if (items > mostValues / vector) return undefined;
  // A group of several warps is the whole block.
  const threads = group > 32 ? group : blockOf(group, many, 128, target);
  return { group, items, vector, threads, rows: threads / group };
}

/** How columns are shared: `columns` threads lie side by side with `vector` columns each, the others below them. */
export interface ColumnGroups {
  readonly columns: number;
  readonly vector: number;
  readonly threads: number;
}

/** Without types the columns are read one by one. */
export function columnGroups(types: readonly DType[], outer: Dim, inner: Dim): ColumnGroups {
  let vector = types.length === 0 ? 1 : Math.min(8, vectorWidth(types, inner));
  const all = atMost(mul(outer, inner));
  while (vector > 2 && all / (32 * vector) < manyBlocks) vector /= 2;
  const columns = Math.min(32, powerOfTwo(atMost(inner) / vector));
  return { columns, vector, threads: 256 };
}
