import { writeFile } from 'node:fs/promises';
import { exportOnnx } from '../importers/onnx/export.js';
import type { Graph } from './ir/graph.js';
import { load } from './load.js';
import { encodeModel } from './onnx/encode.js';
import type { ConvertOptions } from './options.js';
import { CompileError } from './support/diagnostic.js';

export interface ModelExport {
  readonly graph: Graph;
  readonly bytes: number;
  readonly opset: number;
  readonly warnings: readonly string[];
}

const opsets = { oldest: 17, newest: 26 };
const largestFile = 2 ** 31 - 2 ** 20;

/** Writes a model that an importer reads as an ONNX file. */
export async function exportModel(
  path: string,
  output: string,
  options: Pick<ConvertOptions, 'shapes' | 'dims' | 'program' | 'signal'> & {
    readonly opset?: number | undefined;
  } = {},
): Promise<ModelExport> {
  const { opset } = options;
  if (opset !== undefined && (opset < opsets.oldest || opset > opsets.newest))
    throw new CompileError(
      'bad-option',
      `models are not written in opset ${opset}`,
      `use one from ${opsets.oldest} to ${opsets.newest}`,
    );
  const warnings: string[] = [];
  const { graph } = await load(path, options, (w) => warnings.push(w));
  const model = exportOnnx(graph, { opset });
  const bytes = encodeModel(model);
  if (bytes.byteLength > largestFile)
    throw new CompileError(
      'too-large',
      `the model takes ${bytes.byteLength} bytes, more than one ONNX file holds`,
    );
  await writeFile(output, bytes);
  const written = model.opsetImport.find((o) => o.domain === '')?.version ?? 0;
  return { graph, bytes: bytes.byteLength, opset: written, warnings };
}
