import { bounds, type Dim, numel, substitute, symbolsOf } from '../src/ir/dim.js';
import { type Graph, type Node, usersOf, type Value } from '../src/ir/graph.js';
import { bitsOf } from '../src/ir/type.js';
import { literalAt } from './literals.js';

/** Seconds in each run. */
export interface Worth {
  /** What compiling saves. */
  readonly saved: number;
  /** What the borders cost. */
  readonly price: number;
}

/** What the acceptance of a segment is reckoned with, in seconds. */
export interface Costs {
  /** What onnxruntime spends around a node. */
  readonly node: number;
  /** What one more segment costs, and each byte that crosses its border. */
  readonly border: number;
  readonly borderByte: number;
  /** What onnxruntime spends on an operation and on a byte of a tensor, and how much of it compiling saves. */
  readonly flop: number;
  readonly byte: number;
  readonly gain: number;
}

/** A compiled segment shares the memory of its neighbours. */
const cpuCosts: Costs = {
  ...{ node: 3e-6, border: 25e-6, borderByte: 0 },
  ...{ flop: 1 / 20e9, byte: 1 / 10e9, gain: 0.15 },
};

/** What crosses a border goes over the bus through page-locked memory; little is left of the time within. */
export const gpuCosts: Costs = { ...cpuCosts, border: 40e-6, borderByte: 1 / 8e9, gain: 0.95 };

/** What a segment of these nodes is worth. */
export function worthOf(
  g: Graph,
  members: readonly Node[],
  flops: (n: Node) => number,
  costs: Costs = cpuCosts,
): Worth {
  const seconds = members.reduce((t, n) => t + flops(n) * costs.flop + bytesMoved(n) * costs.byte, 0);
  const price = costs.border + costs.borderByte * crossing(g, members);
  return { saved: members.length * costs.node + seconds * costs.gain, price };
}

/** Extents of open symbols to try in turn: windows over a signal need more than an image row. */
const openExtents = [64, 1024, 16384];

/**
 * A dim's size for an estimate. Symbols count as the middle of their range; open ones as 1 where they are named
 * like a batch, else as the first extent that leaves something to do.
 */
export function typical(d: Dim): number {
  if (typeof d === 'number') return d;
  for (const extent of openExtents) {
    const sizes = [...symbolsOf(d)].map(([name, { min, max }]): [string, number] => {
      if (Number.isFinite(max)) return [name, Math.round((min + max) / 2)];
      return [name, Math.max(min, /batch|^n$|^b$|unk__/i.test(name) ? 1 : extent)];
    });
    const size = substitute(d, new Map(sizes));
    const known = typeof size === 'number' ? size : bounds(size)[0];
    if (known > 0) return known;
  }
  return 0;
}

const bytesOf = (v: Value): number =>
  v.type.kind === 'opaque' ? 0 : (typical(numel(v.type.shape)) * bitsOf[v.type.dtype]) / 8;

const bytesMoved = (n: Node): number =>
  [...n.inputs, ...n.outputs].reduce((sum: number, v: Value) => sum + bytesOf(v), 0);

/** Bytes of the values that a group of nodes reads of others, constants aside, and gives to others. */
function crossing(g: Graph, members: readonly Node[]): number {
  const group = new Set(members);
  const users = usersOf(g);
  const read = new Set(members.flatMap((n) => n.inputs).filter((v) => !group.has(v.node) && !isConstant(v)));
  const given = members
    .flatMap((n) => n.outputs)
    .filter((v) => g.outputs.includes(v) || users.get(v)?.some((u) => !group.has(u)));
  return [...read, ...given].reduce((sum, v) => sum + bytesOf(v), 0);
}

const isConstant = (v: Value): boolean => literalAt(v) !== undefined;
