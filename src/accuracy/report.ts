import type { Comparison } from './metrics.js';

/** What a conversion did, as `report.json` holds it and `report.html` shows it. Everything in it survives JSON. */
export interface Report {
  readonly tool: { readonly name: string; readonly version: string };
  readonly model: ModelSummary;
  readonly target: TargetSummary;
  /** The nodes of the user's model, in its order. */
  readonly nodes: readonly NodeReport[];
  /** In execution order. */
  readonly segments: readonly SegmentReport[];
  readonly kernels: readonly KernelReport[];
  readonly stages: readonly { readonly name: string; readonly seconds: number }[];
  readonly memory: MemoryReport;
  /** Absent where the result was not compared (`--no-verify`, `--dry-run`). */
  readonly accuracy?: AccuracyReport;
  /** What the user should know about their model: contradictory shapes, values clamped, symbols left open. */
  readonly warnings: readonly string[];
}

export interface ModelSummary {
  readonly name: string;
  readonly format: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly producer?: string;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  readonly inputs: readonly PortReport[];
  readonly outputs: readonly PortReport[];
}

export interface PortReport {
  readonly name: string;
  /** As text, symbols included: `f32[batch,3,224,224]`. */
  readonly type: string;
}

export interface TargetSummary {
  readonly kind: string;
  readonly arch: string;
  readonly isa: string;
  /** What a GPU stores floats in. */
  readonly precision?: string;
  /** Products round their operands to TF32. */
  readonly tf32?: boolean;
  readonly compiler: string;
  readonly threads: number;
}

export interface NodeReport {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  /** Path of the module that it belongs to, for a PyTorch program. */
  readonly module?: string;
  /** `removed`: folded into a constant, fused into a neighbour, or proven to do nothing. */
  readonly placement: 'engine' | 'fallback' | 'removed';
  /** Estimated floating-point or, where there are none, element operations. */
  readonly work: number;
  readonly segment?: string;
  /** Why onnxruntime runs it. */
  readonly reason?: string;
  /** What it would take to compile it. */
  readonly remedy?: string;
}

export interface SegmentReport {
  readonly name: string;
  readonly placement: 'engine' | 'fallback';
  readonly nodes: number;
  readonly work: number;
  readonly kernels: number;
  /** The modules it covers: a path, or the first and the last. */
  readonly modules?: string;
  /** Bytes of the values it reads from and writes to other segments. */
  readonly boundaryBytes?: number;
  /** Where a model is split: seconds that compiling the segment is reckoned to save in each run. */
  readonly saves?: number;
  /** Seconds that its borders are reckoned to cost in each run. */
  readonly costs?: number;
}

export interface KernelReport {
  readonly name: string;
  /** How often the engine calls it in one run. */
  readonly calls: number;
  readonly work: number;
  readonly cached: boolean;
  readonly seconds?: number;
}

export interface MemoryReport {
  readonly weights: number;
  readonly library: number;
  /** Activations of one run at the shapes of the accuracy check; absent when unknown. */
  readonly arena?: number;
  /** The most this process held while converting. */
  readonly peak?: number;
}

export interface AccuracyReport {
  readonly reference: string;
  /** `seeded random, seed 0`, or the data set's path. */
  readonly inputs: string;
  readonly outputs: readonly { readonly name: string; readonly comparison: Comparison }[];
}

const devices: Readonly<Record<string, string>> = { cuda: 'NVIDIA GPUs', rocm: 'AMD GPUs' };

/** What an engine runs on, in words: `x86-64-v3`, `NVIDIA GPUs (sm_80, sm_90a) in fp16`. */
export function deviceText({
  kind,
  arch,
  precision,
  tf32,
}: Pick<TargetSummary, 'kind' | 'arch' | 'precision' | 'tf32'>): string {
  if (kind === 'cpu') return arch;
  const device = devices[kind];
  const named = device === undefined ? 'an emulated GPU' : `${device} (${arch.split(',').join(', ')})`;
  return precision === undefined ? named : `${named} in ${precision}${tf32 ? ', products in TF32' : ''}`;
}

export interface Share {
  readonly nodes: number;
  readonly work: number;
}

/** Nodes and work by who does them. */
export function shares(nodes: readonly NodeReport[]): Readonly<Record<NodeReport['placement'], Share>> {
  const of = (placement: NodeReport['placement']): Share => {
    const chosen = nodes.filter((node) => node.placement === placement);
    return { nodes: chosen.length, work: chosen.reduce((sum, node) => sum + node.work, 0) };
  };
  return { engine: of('engine'), fallback: of('fallback'), removed: of('removed') };
}

export interface ReasonGroup extends Share {
  readonly reason: string;
  readonly remedy: string | undefined;
  readonly operators: readonly string[];
  readonly members: readonly NodeReport[];
}

/** The nodes left to onnxruntime, gathered by reason, the most costly first. */
export function fallbackReasons(nodes: readonly NodeReport[]): readonly ReasonGroup[] {
  const groups = new Map<string, NodeReport[]>();
  for (const node of nodes) {
    if (node.placement !== 'fallback') continue;
    const reason = node.reason ?? 'no reason was recorded';
    const group = groups.get(reason);
    if (group) group.push(node);
    else groups.set(reason, [node]);
  }
  return [...groups]
    .map(([reason, members]) => ({
      reason,
      remedy: members.find((node) => node.remedy !== undefined)?.remedy,
      operators: [...new Set(members.map((node) => node.operator))],
      members,
      nodes: members.length,
      work: members.reduce((sum, node) => sum + node.work, 0),
    }))
    .sort((a, b) => b.work - a.work || b.nodes - a.nodes);
}

/** A node's name with the module it belongs to. */
export const titleOf = ({ name, module }: Pick<NodeReport, 'name' | 'module'>): string =>
  module === undefined ? name : `${name} (${module})`;

/** The modules of nodes in one line: the innermost that holds all of them, or the first and the last. */
export function modulesOf(paths: readonly (string | undefined)[]): string | undefined {
  const known = paths.filter((p) => p !== undefined);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const words = first.split('.');
  while (words.length > 0 && !known.every((p) => `${p}.`.startsWith(`${words.join('.')}.`))) words.pop();
  if (words.length > 0) return words.join('.');
  return first === last ? first : `${first} … ${last}`;
}
