import { emitSegment, type WeightStore } from '../../codegen/host-program.js';
import { importOnnx } from '../../importers/onnx/import.js';
import { AITLowerer, type Partition } from '../../lowering/ait-lowerer.js';
import { lowerBranches } from '../../lowering/branches.js';
import { pipeline } from '../../lowering/pipeline.js';
import { verify } from '../../lowering/rules.js';
import type { Backend } from '../../src/backend.js';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import type { Graph } from '../../src/ir/graph.js';
import { runPasses } from '../../src/ir/pass.js';
import { decodeModel } from '../../src/onnx/decode.js';
import { operators } from '../../src/ops/index.js';
import { CompileError } from '../../src/support/diagnostic.js';

export type Stage = 'import' | 'lower' | 'partition' | 'generate';

/** What became of a mutant. All but the first two kinds are bugs. */
export type Outcome =
  | { readonly kind: 'partitioned'; readonly compiled: number; readonly nodes: number }
  | { readonly kind: 'refused'; readonly stage: Stage; readonly code: string }
  | { readonly kind: 'exception'; readonly stage: Stage; readonly reason: string }
  | { readonly kind: 'hang' | 'crash' | 'memory'; readonly stage: Stage; readonly reason: string };

export const isBug = ({ kind }: Outcome): boolean => kind !== 'partitioned' && kind !== 'refused';

/** Constants are left alone here: folding them belongs to onnxruntime, which the sample that is run asks. */
const noFolding = (): Promise<never> => Promise.reject(new CompileError('reference-failed', 'not asked'));

async function lowered(g: Graph, backend: Backend): Promise<Graph> {
  const passes = pipeline({ fold: noFolding, compiles: (n) => backend.refuse(n) === undefined });
  const run = async (graph: Graph): Promise<Graph> =>
    runPasses(await lowerBranches(graph, run), passes, verify('lowered'));
  return run(g);
}

const nowhere: WeightStore = { bytes: 0, append: () => 0 };

function generate({ segments }: Partition, backend: Backend): void {
  for (const { kind, graph } of segments)
    if (kind === 'engine') {
      verify('partitioned')(graph);
      emitSegment('segment_0', graph, backend, nowhere);
    }
}

/** Imports, lowers, partitions and generates the code of a model, as a conversion does. */
export async function attempt(
  bytes: Uint8Array,
  baseDir: string,
  backend: Backend,
  at: (stage: Stage) => void = () => {},
): Promise<Outcome> {
  let stage: Stage = 'import';
  const enter = (next: Stage): void => {
    stage = next;
    at(next);
  };
  try {
    enter('import');
    const imported = importOnnx(decodeModel(bytes), { operators, baseDir, warn: () => {} });
    enter('lower');
    const g = await lowered(imported, backend);
    enter('partition');
    const partition = new AITLowerer({ refuse: backend.refuse, work: backend.work }).partition(g);
    enter('generate');
    generate(partition, backend);
    const { decisions } = partition;
    const compiled = decisions.filter((d) => d.kind === 'engine').length;
    return { kind: 'partitioned', compiled, nodes: decisions.length };
  } catch (e) {
    if (e instanceof CompileError && exitCodeOf(e) !== 4) return { kind: 'refused', stage, code: e.code };
    return { kind: 'exception', stage, reason: reasonOf(e) };
  }
}

/** The message, and where in our sources. */
export function reasonOf(e: unknown): string {
  if (!(e instanceof Error)) return String(e);
  const name = e instanceof CompileError ? e.code : e.name;
  const notes = e instanceof CompileError ? e.notes.slice(0, 2).map((n) => ` ${n}`) : [];
  const frames = (e.stack ?? '').split('\n').filter((line) => /^\s+at .*\.ts:/.test(line));
  const places = frames.slice(0, 3).map((f) => /([^/\\(]+:\d+):\d+\)?$/.exec(f)?.[1] ?? f.trim());
  const text = `${name}: ${e.message}${notes.join('')}`.replace(/\s+/g, ' ').slice(0, 300);
  return `${text} @ ${places.join(' < ')}`;
}
