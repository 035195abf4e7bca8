import { exportOnnx } from '../importers/onnx/export.js';
import { withWideFloats } from '../lowering/wide-floats.js';
import { withWidePorts } from './artifact/wide-ports.js';
import { type Graph, inputName } from './ir/graph.js';
import { encodeModel } from './onnx/encode.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import type { TensorData } from './support/tensor-data.js';
import { widened } from './support/wide-types.js';

/** What onnxruntime makes of a graph's inputs; in a wider type where it does not carry that of a result. */
export async function onReference(
  g: Graph,
  inputs: ReadonlyMap<string, TensorData>,
  reference: OnnxruntimeProcess,
): Promise<ReadonlyMap<string, TensorData>> {
  const model = withWidePorts(exportOnnx(withWideFloats(g)));
  const feeds = g.inputs.map(
    (v, i) => [model.graph.input[i]!.name, widened(inputs.get(inputName(v))!)] as const,
  );
  const results = await reference.run(encodeModel(model), new Map(feeds));
  return new Map(g.outputNames.map((name, i) => [name, results.get(model.graph.output[i]!.name)!]));
}
