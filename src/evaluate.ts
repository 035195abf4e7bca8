import { exportOnnx } from '../importers/onnx/export.js';
import type { Graph } from './ir/graph.js';
import { Literal } from './ir/literal.js';
import { isDType } from './ir/type.js';
import { encodeModel } from './onnx/encode.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';

/** What takes longer is left for the engine to compute. */
const patienceMs = 60_000;

/** The results of a graph without inputs, computed by onnxruntime. */
export async function evaluateOnReference(
  g: Graph,
  reference: OnnxruntimeProcess,
): Promise<readonly Literal[]> {
  const outputs = await reference.runStored(encodeModel(exportOnnx(g)), new Map(), { timeoutMs: patienceMs });
  return g.outputNames.map((name) => {
    const t = outputs.get(name);
    if (!t || !isDType(t.dtype)) throw new TypeError(`onnxruntime gave no tensor for ${name}`);
    return new Literal(t.dtype, t.shape, t.blob);
  });
}
