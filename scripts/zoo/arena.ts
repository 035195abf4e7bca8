import { emitSegment } from '../../codegen/host-program.js';
import { AITLowerer } from '../../lowering/ait-lowerer.js';
import type { Backend } from '../../src/backend.js';
import { load } from '../../src/load.js';
import { lower } from '../../src/lower.js';
import type { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import type { ZooInputs, ZooModel } from '../zoo-fetch.js';

/** Bytes of activations that the compiled segments need at these sizes, or undefined where data decide it. */
export async function arenaBytes(
  model: ZooModel,
  inputs: ZooInputs,
  backend: Backend,
  reference: OnnxruntimeProcess,
): Promise<number | undefined> {
  const shapes = new Map(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const { graph } = await load(model.file, { shapes }, () => {});
  const lowered = await lower(graph, backend, reference);
  const { segments } = new AITLowerer({ refuse: backend.refuse, work: backend.work }).partition(lowered);
  let total = 0;
  for (const [i, segment] of segments.entries()) {
    if (segment.kind !== 'engine') continue;
    const store = { bytes: 0, append: () => 0 };
    const code = emitSegment(`segment_${i}`, segment.graph, backend, store);
    if (code.arenaBytes === undefined) return undefined;
    total += code.arenaBytes;
  }
  return total;
}
