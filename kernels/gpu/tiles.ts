import { type Cpp, cpp } from '../../codegen/cpp.js';
import { type GpuTarget, warpOf } from '../../codegen/target.js';
import { bitsOf, type DType } from '../../src/ir/type.js';
import { flag } from '../shared/elements.js';
import { manyBlocks } from './vector-width.js';

/** A tile of results, how it is computed, and what that costs. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** Bytes of a slab along the depth. */
  readonly depth: number;
  /** Warps down and across; of a wide tile how many warpgroups multiply. */
  readonly warps: readonly [number, number];
  readonly stages: number;
  /** Blocks that share a multiprocessor. */
  readonly blocks: number;
  /** Microseconds of a block without slabs, and of one slab. */
  readonly block: number;
  readonly slab: number;
  /** The same of a slab for every multiprocessor, however they are spread: what all of them compete for. */
  readonly shared?: number;
  /** Warpgroups have tiles of their own. */
  readonly turns?: boolean;
}

const tile = (
  rows: number,
  columns: number,
  depth: number,
  warps: readonly [number, number],
  stages: number,
  blocks: number,
  block: number,
  slab: number,
): Tile => ({ rows, columns, depth, warps, stages, blocks, block, slab });

/** Tiles of mma.sync for elements of two bytes. Costs were fitted to times on an H100. */
const matrixTiles: readonly Tile[] = [
  tile(256, 128, 64, [4, 2], 3, 1, 3.5, 0.85),
  tile(128, 128, 64, [2, 2], 4, 2, 2.8, 0.45),
  tile(128, 64, 64, [2, 2], 4, 3, 2.5, 0.27),
  tile(64, 128, 128, [2, 2], 3, 3, 2.4, 0.476),
  tile(64, 64, 128, [2, 2], 4, 3, 2.2, 0.3),
  tile(64, 32, 128, [2, 2], 4, 4, 2.3, 0.2),
  tile(32, 128, 128, [1, 4], 4, 2, 1.9, 0.32),
  tile(32, 64, 128, [2, 2], 4, 4, 2.3, 0.205),
  tile(16, 64, 128, [1, 4], 5, 4, 2.0, 0.145),
];

/** Tiles for floats and doubles, by ordinary arithmetic or in TF32. */
const floatTiles: readonly Tile[] = [
  tile(128, 64, 128, [2, 2], 3, 2, 2.5, 1.3),
  tile(64, 64, 128, [2, 2], 3, 3, 2.5, 0.75),
  tile(32, 64, 128, [2, 2], 3, 4, 2.5, 0.45),
  tile(32, 32, 128, [2, 2], 4, 4, 2.5, 0.3),
];

/** Tiles for whatever else is multiplied. */
const plainTiles: readonly Tile[] = [tile(32, 32, 64, [2, 2], 3, 4, 3, 1)];

const wide = (
  size: readonly [number, number],
  warpgroups: number,
  stages: number,
  blocks: number,
  [block, slab, shared]: readonly [number, number, number],
  turns = false,
): Tile => ({ ...tile(...size, 128, [warpgroups, 1], stages, blocks, block, slab), shared, turns });

/**
 * Tiles of wgmma. Costs were fitted to times on an H100, of which a launch takes `wideLaunch`: what they choose for 70
 * shapes is 1.6 % slower, on average, than the best of these tiles.
 */
const wideTiles: readonly Tile[] = [
  wide([128, 256], 2, 4, 1, [4.25, 0.451, 0.186]),
  wide([256, 128], 2, 4, 1, [4.16, 0.448, 0.19]),
  wide([192, 192], 3, 4, 1, [3.79, 0.462, 0.245]),
  wide([128, 192], 2, 5, 1, [3.22, 0.332, 0.18]),
  wide([192, 128], 3, 5, 1, [3, 0.315, 0.216]),
  wide([192, 96], 3, 6, 1, [2.53, 0.197, 0.266]),
  wide([128, 128], 2, 6, 1, [3.23, 0.21, 0.145], true),
  wide([64, 256], 2, 5, 1, [3.4, 0.168, 0.185], true),
  wide([128, 96], 2, 6, 1, [2.33, 0.136, 0.192], true),
  wide([128, 128], 1, 3, 2, [3.59, 0.194, 0.31]),
  wide([128, 64], 2, 4, 2, [1.82, 0.138, 0.255]),
  wide([64, 128], 1, 4, 2, [1.62, 0.103, 0.242]),
  wide([64, 96], 1, 4, 2, [1.11, 0.137, 0.161]),
  wide([64, 64], 1, 6, 2, [0.5, 0.118, 0.141]),
  wide([64, 64], 1, 12, 1, [0.56, 0.105, 0.098]),
  wide([64, 32], 1, 8, 2, [0.38, 0.099, 0.102]),
];
const wideLaunch = 1.6;

export type TileKind = 'matrix' | 'summed' | 'float' | 'plain' | 'wide';

const tilesOf: Readonly<Record<TileKind, readonly Tile[]>> = {
  matrix: matrixTiles,
  // Sums of rows beside those of products do not fit the registers of the largest.
  summed: matrixTiles.filter((t) => t.rows < 256),
  float: floatTiles,
  plain: plainTiles,
  wide: wideTiles,
};

/** Bytes of shared memory that a block of each device can have. */
const sharedOf = (arch: string): number => {
  if (arch.startsWith('gfx')) return 64 << 10;
  if (/^sm_(90|10)/.test(arch)) return 227 << 10;
  if (/^sm_80/.test(arch)) return 163 << 10;
  if (arch === 'emulated64') return 64 << 10;
  return arch.startsWith('sm_') ? 99 << 10 : 227 << 10;
};

/** Bytes that the blocks of a Hopper's multiprocessor share, 1024 of each for the system. */
const wideRoom = 228 << 10;

/** What every device of a library has. */
export const sharedBytesOf = ({ archs }: GpuTarget): number => Math.min(...archs.map(sharedOf));

export const threadsOf = (t: Tile, target: GpuTarget): number => t.warps[0] * t.warps[1] * warpOf(target);

/** As kTileShared of gemm.h. */
export function sharedBytes(t: Tile, sums: DType, target: GpuTarget): number {
  const strip = 16 * (t.columns / t.warps[1] + 8) * (bitsOf[sums] / 8);
  return Math.max(t.stages * (t.rows + t.columns) * t.depth, (threadsOf(t, target) / warpOf(target)) * strip);
}

/** As WideTiling::kShared of tiles_sm90.h, or kSharedApart. */
export const wideShared = (t: Tile, apart = false): number =>
  t.stages * ((t.rows + t.columns) * t.depth + 16) + 16 + (apart ? t.warps[0] * 4 * 2560 : 0);

export const tilingText = (t: Tile, element: DType): Cpp =>
  cpp`ait::gpu::Tiling<${t.rows}, ${t.columns}, ${(t.depth * 8) / bitsOf[element]}, ${t.warps[0]}, ${t.warps[1]}, ${t.stages}>`;

export const wideText = (t: Tile): Cpp =>
  cpp`ait::gpu::WideTiling<${t.rows}, ${t.columns}, ${t.warps[0]}, ${t.stages}, ${t.blocks}, ${flag(t.turns === true)}>`;

export interface Choice {
  readonly tile: Tile;
  readonly splits: number;
  readonly cost: number;
}

export interface Problem {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Products of this size. */
  readonly count: number;
  readonly element: DType;
  /** Tiles of wgmma store elements one by one. */
  readonly apart?: boolean;
  /** Parts that the depth may be cut in; default 16. */
  readonly mostSplits?: number;
}

/** Another launch, and the bytes that partial sums pass through memory, in microseconds. */
const reduceCost = (p: Problem, splits: number): number =>
  splits === 1 ? 0 : 1.4 + (p.count * p.rows * p.columns * 4 * splits) / 1.5e6;

function costOf(t: Tile, p: Problem, splits: number): number {
  const tiles = p.count * Math.ceil(p.rows / t.rows) * Math.ceil(p.columns / t.columns) * splits;
  const slabs = Math.ceil(Math.ceil((p.depth * bitsOf[p.element]) / 8 / t.depth) / splits);
  const each = Math.ceil(tiles / manyBlocks);
  const rounds = Math.ceil(each / (t.turns ? 2 : t.blocks));
  const reduced = rounds * t.block + reduceCost(p, splits);
  if (t.shared === undefined) return reduced + each * slabs * t.slab;
  const busiest = (t.blocks === 1 ? each : rounds) * slabs;
  return wideLaunch + reduced + busiest * t.slab + (tiles / manyBlocks) * slabs * t.shared;
}

/** Partial sums take at most this many elements. */
const mostPartial = 1 << 25;

/** The cheapest tile and number of parts of the depth, for a device like an H100. */
export function chooseTile(kind: TileKind, p: Problem, target: GpuTarget, sums: DType): Choice {
  const room = sharedBytesOf(target);
  const sizeOf = (t: Tile): number =>
    kind === 'wide' ? (wideShared(t, p.apart) + 1024) * t.blocks : sharedBytes(t, sums, target);
  const fits = tilesOf[kind].filter((t) => sizeOf(t) <= (kind === 'wide' ? wideRoom : room));
  const choices = fits.flatMap((t) =>
    [1, 2, 4, 8, 16].flatMap((splits) => {
      if (splits > (p.mostSplits ?? 16)) return [];
      const slabs = (p.depth * bitsOf[p.element]) / 8 / t.depth;
      const sensible = slabs >= 2 * splits && p.count * p.rows * p.columns * splits <= mostPartial;
      return splits === 1 || sensible ? [{ tile: t, splits, cost: costOf(t, p, splits) }] : [];
    }),
  );
  return choices.reduce((a, b) => (b.cost < a.cost ? b : a));
}
