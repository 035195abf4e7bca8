import { exportOnnx } from '../importers/onnx/export.js';
import type { Graph } from './ir/graph.js';
import { type Literal, literal } from './ir/literal.js';
import { isDType } from './ir/type.js';
import { encodeModel } from './onnx/encode.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';

/** The results of a graph without inputs, computed by onnxruntime. */
export async function evaluateOnReference(
  g: Graph,
  reference: OnnxruntimeProcess,
): Promise<readonly Literal[]> {
  const outputs = await reference.run(encodeModel(exportOnnx(g)), new Map());
  return g.outputNames.map((name) => {
    const t = outputs.get(name);
    if (!t || !isDType(t.dtype)) throw new TypeError(`onnxruntime gave no tensor for ${name}`);
    return literal(t.dtype, t.shape, t.bytes);
  });
}
