import { emitSegment, type SegmentCode, type WeightStore } from '../../codegen/host-program.js';
import { AITLowerer, type Partition } from '../../lowering/ait-lowerer.js';
import { verify } from '../../lowering/rules.js';
import type { Step } from '../../src/artifact/manifest.js';
import type { Backend } from '../../src/backend.js';
import { load } from '../../src/load.js';
import { lower } from '../../src/lower.js';
import type { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { nameOfOutput } from '../../src/stitch.js';
import type { ModelScale } from '../../src/verify.js';
import { scaleOf } from '../../src/verify-engine.js';
import type { SuiteCase } from '../suite-fetch.js';
import { type CaseResult, type Placement, sentence } from './case-result.js';
import type { CaseJob } from './worker.js';

/** A case whose every node is compiled, as one segment of a library. */
export interface PreparedCase {
  readonly kind: 'segment';
  readonly test: SuiteCase;
  readonly code: SegmentCode;
  readonly steps: readonly Step[];
  readonly outputs: CaseJob['outputs'];
  /** Where the target stores values more coarsely than the model does. */
  readonly scale?: ModelScale;
}

export type Prepared =
  | PreparedCase
  /** It has to be converted by itself: some of it stays on onnxruntime, or its code cannot be generated. */
  | { readonly kind: 'alone'; readonly test: SuiteCase; readonly placement: Placement; readonly left: string }
  | { readonly kind: 'failed'; readonly test: SuiteCase; readonly result: CaseResult };

/** Imports, lowers and partitions a case, and generates its code where all of it compiles. */
export async function prepare(
  test: SuiteCase,
  name: string,
  backend: Backend,
  reference: OnnxruntimeProcess,
  weights: WeightStore,
): Promise<Prepared> {
  let stage: 'import' | 'lower' = 'import';
  try {
    const { graph: imported } = await load(test.model, {}, () => {});
    stage = 'lower';
    const g = await lower(imported, backend, reference);
    const partition = new AITLowerer({ refuse: backend.refuse, work: backend.work }).partition(g);
    const left = reasonsOf(partition);
    if (left !== '') return { kind: 'alone', test, placement: placementOf(partition), left };
    const [segment, second] = partition.segments;
    if (!segment) return { kind: 'alone', test, placement: 'compiled', left: '' };
    if (second) throw new Error(`${partition.segments.length} segments of one kind`);
    let code: SegmentCode;
    try {
      verify('partitioned')(segment.graph);
      code = emitSegment(name, segment.graph, backend, weights);
    } catch (e) {
      return { kind: 'alone', test, placement: 'onnxruntime', left: sentence(e) };
    }
    const step: Step = {
      kind: 'engine',
      target: name,
      inputs: segment.reads,
      outputs: segment.writes,
      nodes: segment.nodes.length,
    };
    const outputs = g.outputs.map((v, i) => {
      return {
        name: g.outputNames[i]!,
        value: nameOfOutput(v, i, g, partition.segments),
        kind: 'tensor' as const,
      };
    });
    const scale = backend.narrow && { scale: scaleOf(g, backend) };
    return { kind: 'segment', test, code, steps: [step], outputs, ...scale };
  } catch (e) {
    const failure = { stage, reason: sentence(e) };
    return { kind: 'failed', test, result: { placement: 'onnxruntime', failure } };
  }
}

export const placementOf = ({ decisions }: Partition): Placement => {
  const engine = decisions.filter((d) => d.kind === 'engine').length;
  return engine === decisions.length ? 'compiled' : engine > 0 ? 'partly' : 'onnxruntime';
};

/** Why nodes stay on onnxruntime, each reason once; empty when none does. */
export function reasonsOf({ decisions }: Partition): string {
  const left = decisions.filter((d) => d.kind === 'fallback');
  // What the borders cost is a consequence of the other reasons.
  const own = left.filter((d) => !/at the borders$|^it lies between/.test(d.reason ?? ''));
  const chosen = own.length > 0 ? own : left;
  const texts = new Set(chosen.map(({ node, reason }) => `${node.origin.opType ?? node.op.name}: ${reason}`));
  return sentence([...texts].join('; '));
}
