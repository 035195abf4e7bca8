import type { Dim } from '../src/ir/dim.js';
import type { Graph, Node } from '../src/ir/graph.js';
import { type Kind, levelsOf, placeable, waitsFor } from './levels.js';
import { type Costs, typical, type Worth, worthOf } from './segment-worth.js';
import { cut, type Segment } from './segments.js';

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
  /** What each compiled segment of a model that is split is reckoned to gain and to cost. */
  readonly worth: ReadonlyMap<Segment, Worth>;
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
  /** Default: those of the CPU. */
  readonly costs?: Costs | undefined;
}

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
    const segments = cut(g, kindOf);
    const compiled = reasons.size === 0 ? [] : segments.filter((s) => s.kind === 'engine');
    return {
      segments,
      worth: new Map(compiled.map((s) => [s, this.#worth(g, s.nodes)])),
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
      const verdict = this.#verdict(g, members);
      if (verdict && (!worst || verdict.gain < worst.gain)) worst = { ...verdict, nodes: members };
    }
    for (const n of worst?.nodes ?? []) reasons.set(n, worst!.reason);
    return worst !== undefined;
  }

  #verdict(g: Graph, members: readonly Node[]): { reason: string; gain: number } | undefined {
    const least = this.options.minBlockSize ?? 0;
    const count = members.length;
    if (count < least)
      return { reason: `its segment has ${count} nodes, fewer than --min-block-size ${least}`, gain: count };
    const { saved, price } = this.#worth(g, members);
    if (saved >= price) return undefined;
    const micro = (s: number): string => (s * 1e6).toFixed(0);
    return {
      reason: `compiling its segment of ${count} would save about ${micro(saved)} µs and cost ${micro(price)} µs at the borders`,
      gain: saved - price,
    };
  }

  #worth(g: Graph, members: readonly Node[]): Worth {
    return worthOf(g, members, (n) => this.#flops(n), this.options.costs);
  }

  #flops(n: Node): number {
    return typical(this.options.work(n));
  }
}
