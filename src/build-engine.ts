import { BuildFailure, build } from '../codegen/build.js';
import { emitSegment, type SegmentCode, type WeightStore } from '../codegen/host-program.js';
import { KernelFailure } from '../codegen/kernel-failure.js';
import { emitModule, type SourceFile } from '../codegen/module.js';
import { AITLowerer, type LowererOptions, type Partition } from '../lowering/ait-lowerer.js';
import { verify } from '../lowering/rules.js';
import type { Segment } from '../lowering/segments.js';
import type { Backend } from './backend.js';
import type { Graph, Node } from './ir/graph.js';

/** An engine before it is written: the partition, the code of its segments, the library. */
export interface BuiltEngine {
  readonly partition: Partition;
  /** Segments in execution order; engine segments have code. */
  readonly segments: readonly { readonly segment: Segment; readonly code?: SegmentCode }[];
  readonly sources: readonly SourceFile[];
  readonly library: Buffer | undefined;
  readonly built: number;
  readonly fromCache: number;
  /** Names of the source files that had to be compiled. */
  readonly fresh: readonly string[];
}

export interface EngineOptions extends Omit<LowererOptions, 'refuse' | 'work'> {
  readonly cacheDirectory: string;
  readonly jobs?: number;
  /** Stop after the partition: nothing is generated. */
  readonly partitionOnly?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: (done: number, total: number) => void;
  /** A store for the constants of one attempt; a failed attempt's store is dropped. */
  weights(): WeightStore;
}

/**
 * Partitions, generates and builds. A segment that fails at any of these goes back to onnxruntime with the
 * reason, and what remains is built again.
 */
export async function buildEngine(g: Graph, backend: Backend, options: EngineOptions): Promise<BuiltEngine> {
  const failed = new Map(options.failed);
  const alone = new Set<string>();
  for (;;) {
    const lowerer = new AITLowerer({
      ...options,
      refuse: backend.refuse,
      work: backend.work,
      costs: backend.costs,
      failed,
    });
    const partition = lowerer.partition(g);
    if (options.partitionOnly)
      return { partition, segments: partition.segments.map((segment) => ({ segment })), ...nothing };
    const weights = options.weights();
    const attempt = generate(partition, backend, weights);
    if (attempt.failures.size > 0) {
      for (const [node, reason] of attempt.failures) failed.set(node, reason);
      continue;
    }
    const { segments } = attempt;
    const codes = segments.flatMap((s) => s.code ?? []);
    if (codes.length === 0) return { partition, segments, ...nothing };
    const sources = emitModule(codes, backend.target, weights.bytes, alone);
    try {
      const result = await build(sources, { ...backend, ...options });
      return { partition, segments, sources, ...result };
    } catch (e) {
      if (!(e instanceof BuildFailure)) throw e;
      // A kernel that shares its unit with others is not condemned for them.
      const crowd = crowds(e, sources, codes).filter((entry) => !alone.has(entry));
      for (const entry of crowd) alone.add(entry);
      if (crowd.length > 0) continue;
      const blamed = blame(e, sources, segments);
      if (blamed.size === 0) throw e;
      for (const [node, reason] of blamed) failed.set(node, reason);
    }
  }
}

const nothing = { sources: [], library: undefined, built: 0, fromCache: 0, fresh: [] } as const;

interface Attempt {
  readonly segments: BuiltEngine['segments'];
  readonly failures: ReadonlyMap<Node, string>;
}

function generate(partition: Partition, backend: Backend, weights: WeightStore): Attempt {
  const failures = new Map<Node, string>();
  let count = 0;
  const segments = partition.segments.map((segment) => {
    if (segment.kind === 'fallback') return { segment };
    const name = `segment_${count++}`;
    try {
      verify('partitioned')(segment.graph);
      return { segment, code: emitSegment(name, segment.graph, backend, weights) };
    } catch (e) {
      const node = e instanceof KernelFailure ? segment.originals.get(e.node) : undefined;
      if (segment.nodes.length === 0) throw e;
      // Without a culprit the whole segment goes.
      for (const n of node ? [node] : segment.nodes)
        failures.set(n, e instanceof Error ? e.message : String(e));
      return { segment };
    }
  });
  return { segments, failures };
}

/** Kernels in failing source files that hold more than one. */
function crowds(
  failure: BuildFailure,
  sources: readonly SourceFile[],
  codes: readonly SegmentCode[],
): string[] {
  const entries = [...new Set(codes.flatMap((c) => c.kernels.map((k) => k.entry.text)))];
  return [...failure.failures.keys()].flatMap((name) => {
    const text = sources.find((s) => s.name === name)?.text ?? '';
    const inside = name === 'program.cpp' ? [] : entries.filter((e) => text.includes(`void ${e}(`));
    return inside.length > 1 ? inside : [];
  });
}

/** The nodes to give back for source files that did not compile, with the reason. */
function blame(
  failure: BuildFailure,
  sources: readonly SourceFile[],
  segments: BuiltEngine['segments'],
): ReadonlyMap<Node, string> {
  const blamed = new Map<Node, string>();
  const give = (nodes: readonly Node[], reason: string): void => {
    for (const n of nodes) blamed.set(n, reason);
  };
  for (const [name, message] of failure.failures) {
    const text = sources.find((s) => s.name === name)?.text ?? '';
    for (const { segment, code } of segments) {
      if (code && name === 'program.cpp')
        give(segment.nodes, `its segment's program did not compile: ${message}`);
      for (const [entry, nodes] of code?.callers ?? []) {
        const own = code?.kernels.find((k) => k.entry.text === entry)?.device?.map((d) => d.entry.text) ?? [];
        if (name === 'program.cpp' || ![entry, ...own].some((e) => text.includes(`void ${e}(`))) continue;
        // A node the segment has for itself, such as a constant, takes the segment with it.
        for (const n of nodes) {
          const original = segment.originals.get(n);
          give(original ? [original] : segment.nodes, `its kernel did not compile: ${message}`);
        }
      }
    }
  }
  return blamed;
}
