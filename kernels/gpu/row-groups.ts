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
  const inWarp = vectors <= 32 * most;
  const group = inWarp
    ? lanesOf(vectors, most, vector)
    : Math.min(1024, powerOfTwo(vectors / Math.min(4, most)));
  const items = Math.max(1, Math.ceil(vectors / group));
  if (items > mostValues / vector) return undefined;
  // A group of several warps is the whole block.
  const threads = group > 32 ? group : blockOf(group, many, 128, target);
  return { group, items, vector, threads, rows: threads / group };
}

/** Lanes of a row that leave few places empty, and have two vectors or more each. */
function lanesOf(vectors: number, most: number, vector: number): number {
  // Single elements are read side by side by as many lanes as there are.
  if (vector === 1) return Math.min(32, powerOfTwo(vectors / 4));
  const empty = (lanes: number): number => lanes * Math.ceil(vectors / lanes) - vectors;
  const fits = [32, 16, 8, 4, 2, 1].filter(
    (lanes) => lanes * most >= vectors && (lanes === 1 || 2 * lanes <= vectors),
  );
  const all = fits.length > 0 ? fits : [Math.min(32, powerOfTwo(vectors))];
  return all.reduce((a, b) => (empty(b) < empty(a) ? b : a));
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
