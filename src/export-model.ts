import { rm, writeFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { exportOnnx } from '../importers/onnx/export.js';
import { WeightsWriter } from './artifact/weights.js';
import { type Graph, is, topological } from './ir/graph.js';
import { type LoadedModel, load } from './load.js';
import { encodeModel } from './onnx/encode.js';
import type { Model } from './onnx/types.js';
import { constant } from './ops/constant.js';
import type { ConvertOptions } from './options.js';
import { CompileError } from './support/diagnostic.js';
import { toolVersion } from './version.js';

export interface ModelExport {
  readonly graph: Graph;
  readonly bytes: number;
  /** The file beside the model that holds the weights, where they do not fit into it. */
  readonly data: { readonly file: string; readonly bytes: number } | undefined;
  readonly opset: number;
  readonly warnings: readonly string[];
}

export type ExportModelOptions = Pick<ConvertOptions, 'shapes' | 'dims' | 'program' | 'signal'> & {
  readonly opset?: number | undefined;
  /** Whether weights go into a file of their own. Default: when the model would not fit into one file. */
  readonly externalData?: boolean | undefined;
};

const opsets = { oldest: 17, newest: 26 };
/** A message of the format holds less than 2 GiB. */
const largestFile = 2 ** 31 - 2 ** 20;

/** Writes a model that an importer reads as an ONNX file. */
export async function exportModel(
  path: string,
  output: string,
  options: ExportModelOptions = {},
): Promise<ModelExport> {
  const { opset } = options;
  if (opset !== undefined && (opset < opsets.oldest || opset > opsets.newest))
    throw new CompileError(
      'bad-option',
      `models are not written in opset ${opset}`,
      `use one from ${opsets.oldest} to ${opsets.newest}`,
    );
  const warnings: string[] = [];
  const loaded = await load(path, options, (w) => warnings.push(w));
  const { graph } = loaded;
  const name = basename(output, extname(output)) || 'model';
  const external = options.externalData ?? weightBytes(graph) > largestFile * 0.9;
  const data = external ? `${output}.data` : undefined;
  const { model, dataBytes } = await written(graph, { opset, name }, data);
  const bytes = encodeModel({ ...model, ...aboutOf(loaded) });
  if (bytes.byteLength > largestFile)
    throw new CompileError(
      'too-large',
      `the model takes ${bytes.byteLength} bytes, more than one ONNX file holds`,
      'put its weights into a file of their own with --external-data',
    );
  await writeFile(output, bytes);
  return {
    graph,
    bytes: bytes.byteLength,
    data: data === undefined ? undefined : { file: data, bytes: dataBytes },
    opset: model.opsetImport.find((o) => o.domain === '')?.version ?? 0,
    warnings,
  };
}

async function written(
  graph: Graph,
  options: { readonly opset: number | undefined; readonly name: string },
  data: string | undefined,
): Promise<{ readonly model: Model; readonly dataBytes: number }> {
  if (data === undefined) return { model: exportOnnx(graph, options), dataBytes: 0 };
  // What one attempt at an operator set has written is of no use to the next.
  const opset = options.opset ?? exportOnnx(graph, options).opsetImport[0]!.version;
  const store = new WeightsWriter(data);
  try {
    const model = exportOnnx(graph, {
      ...options,
      opset,
      externalData: {
        location: basename(data),
        add: (l) => ({
          offset: store.append('weights', {
            byteLength: l.byteLength,
            read: (at = 0, length = l.byteLength) => l.read(at, length),
          }),
          length: l.byteLength,
        }),
      },
    });
    return { model, dataBytes: (await store.finish()).bytes };
  } catch (e) {
    store.close();
    await rm(data, { force: true });
    throw e;
  }
}

const weightBytes = (graph: Graph): number =>
  topological(graph).reduce((sum, n) => sum + (is(n, constant) ? n.attrs.value.byteLength : 0), 0);

/** Where the file comes from, for whoever opens it. */
const aboutOf = ({ source, about }: LoadedModel): Pick<Model, 'producerVersion' | 'metadataProps'> => ({
  producerVersion: toolVersion,
  metadataProps: [
    { key: 'source', value: source.name },
    { key: 'source_sha256', value: source.sha256 },
    { key: 'source_format', value: about.format },
    ...(about.producer === '' ? [] : [{ key: 'source_producer', value: about.producer }]),
  ],
});
