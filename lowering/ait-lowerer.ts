import { bounds, type Dim, numel, substitute, symbolsOf } from '../src/ir/dim.js';
import type { Graph, Node, Value } from '../src/ir/graph.js';
import { bitsOf } from '../src/ir/type.js';
import { cut, type Kind, levelsOf, placeable, type Segment, waitsFor } from './segments.js';

/** What became of a node, and why. */
export interface Decision {
  readonly node: Node;
  readonly kind: Kind;
  /** Why it stays on onnxruntime; absent for compiled nodes. */
  readonly reason?: string;
  /** Estimated floating-point operations. */
  readonly work: number;
}

export interface Partition {
  readonly segments: readonly Segment[];
  readonly decisions: readonly Decision[];
}

export interface LowererOptions {
  /** Why the compiler cannot take a node, as a sentence, or undefined when it can. */
  refuse(node: Node): string | undefined;
  /** Estimated floating-point operations of a node, as a dim. */
  work(node: Node): Dim;
  /** Operator types (the source format's names) that stay on onnxruntime by the user's wish. */
  readonly fallbackOps?: ReadonlySet<string>;
  /** Node names that stay on onnxruntime by the user's wish. */
  readonly fallbackNodes?: ReadonlySet<string>;
  /** Segments with fewer nodes are given back to onnxruntime. */
  readonly minBlockSize?: number;
  /** Nodes that failed at a later stage, with the reason. */
  readonly failed?: ReadonlyMap<Node, string>;
}

/** Seconds: what onnxruntime spends around one node, and what one more border costs. */
const cost = { node: 3e-6, border: 25e-6, flop: 1 / 20e9, byte: 1 / 10e9, gain: 0.15 } as const;

/**
 * Splits a model between the compiler and onnxruntime. Every node is asked why it cannot be compiled,
 * segments are grown without creating cycles, and a segment that does not pay for its borders is given back.
 */
export class AITLowerer {
  constructor(readonly options: LowererOptions) {}

  partition(g: Graph): Partition {
    const nodes = placeable(g);
    const reasons = new Map<Node, string>();
    for (const n of nodes) {
      const reason = this.#refusal(n);
      if (reason !== undefined) reasons.set(n, reason);
    }
    const kindOf = (n: Node): Kind => (reasons.has(n) ? 'fallback' : 'engine');
    // Giving a segment back can merge its neighbours, which may make others not pay either.
    while (this.#keepTogether(g, nodes, reasons, kindOf) || this.#giveBack(g, nodes, reasons, kindOf));
    return {
      segments: cut(g, kindOf),
      decisions: nodes.map((node) => {
        const reason = reasons.get(node);
        return {
          node,
          kind: kindOf(node),
          work: this.#flops(node),
          ...(reason === undefined ? {} : { reason }),
        };
      }),
    };
  }

  #refusal(n: Node): string | undefined {
    const { fallbackOps, fallbackNodes, failed, refuse } = this.options;
    if (fallbackOps?.has(n.origin.opType ?? n.op.name))
      return `--fallback-ops names ${n.origin.opType ?? n.op.name}`;
    if (fallbackNodes?.has(n.origin.name)) return '--fallback-nodes names it';
    const opaque = [...n.inputs, ...n.outputs].find((v) => v.type.kind === 'opaque');
    return (
      failed?.get(n) ??
      refuse(n) ??
      (opaque?.type.kind === 'opaque' ? `it handles ${opaque.type.text}` : undefined)
    );
  }

  /** A value that is no tensor cannot cross a border: what lies between its maker and its reader falls back. */
  #keepTogether(
    g: Graph,
    nodes: readonly Node[],
    reasons: Map<Node, string>,
    kindOf: (n: Node) => Kind,
  ): boolean {
    const levels = levelsOf(g, kindOf);
    let changed = false;
    for (const n of nodes)
      for (const v of n.inputs) {
        const from = levels.get(v.node);
        if (v.type.kind !== 'opaque' || from === undefined || from === levels.get(n)) continue;
        const stack = [...waitsFor(n, g)];
        const seen = new Set<Node>();
        for (let d = stack.pop(); d; d = stack.pop()) {
          if (seen.has(d) || (levels.get(d) ?? -1) <= from) continue;
          seen.add(d);
          if (!reasons.has(d)) {
            reasons.set(d, `it lies between nodes that exchange ${v.type.text}`);
            changed = true;
          }
          stack.push(...waitsFor(d, g));
        }
      }
    return changed;
  }

  #giveBack(
    g: Graph,
    nodes: readonly Node[],
    reasons: Map<Node, string>,
    kindOf: (n: Node) => Kind,
  ): boolean {
    if (!nodes.some((n) => reasons.has(n)) && !this.options.minBlockSize) return false;
    const levels = levelsOf(g, kindOf);
    const groups = new Map<number, Node[]>();
    for (const n of nodes) {
      if (kindOf(n) !== 'engine') continue;
      const members = groups.get(levels.get(n)!);
      if (members) members.push(n);
      else groups.set(levels.get(n)!, [n]);
    }
    // The least worthwhile first; one at a time, since its neighbours then become one.
    let worst: { reason: string; nodes: readonly Node[]; gain: number } | undefined;
    for (const members of groups.values()) {
      const verdict = this.#verdict(members);
      if (verdict && (!worst || verdict.gain < worst.gain)) worst = { ...verdict, nodes: members };
    }
    for (const n of worst?.nodes ?? []) reasons.set(n, worst!.reason);
    return worst !== undefined;
  }

  #verdict(members: readonly Node[]): { reason: string; gain: number } | undefined {
    const least = this.options.minBlockSize ?? 0;
    const count = members.length;
    if (count < least)
      return { reason: `its segment has ${count} nodes, fewer than --min-block-size ${least}`, gain: count };
    const seconds = members.reduce((t, n) => t + this.#flops(n) * cost.flop + bytesMoved(n) * cost.byte, 0);
    const gain = count * cost.node + seconds * cost.gain - cost.border;
    if (gain >= 0) return undefined;
    const micro = (s: number): string => (s * 1e6).toFixed(0);
    return {
      reason: `compiling its segment of ${count} would save about ${micro(gain + cost.border)} µs and cost ${micro(cost.border)} µs at the borders`,
      gain,
    };
  }

  #flops(n: Node): number {
    return typical(this.options.work(n));
  }
}

/** Extents of open symbols to try in turn: windows over a signal need more than an image row. */
const openExtents = [64, 1024, 16384];

/**
 * A dim's size for an estimate. Symbols count as the middle of their range; open ones as 1 where they are named
 * like a batch, else as the first extent that leaves something to do.
 */
function typical(d: Dim): number {
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

const bytesMoved = (n: Node): number =>
  [...n.inputs, ...n.outputs].reduce((sum: number, v: Value) => {
    if (v.type.kind === 'opaque') return sum;
    return sum + (typical(numel(v.type.shape)) * bitsOf[v.type.dtype]) / 8;
  }, 0);
