import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { isExport } from '../importers/pt2/archive.js';
import type { Guard } from './artifact/guards.js';
import { importModel } from './import-model.js';
import type { Graph } from './ir/graph.js';
import type { ExportOptions } from './load-export.js';
import { readModelFile } from './onnx/model-file.js';
import type { Model, Node } from './onnx/types.js';
import { operators } from './ops/index.js';
import type { ConvertOptions } from './options.js';
import type { Source } from './stitch.js';
import { fileBlob } from './support/blob.js';

/** What a model file says about itself, in the user's names. */
export interface ModelAbout {
  readonly format: string;
  readonly producer: string;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  /** Nodes of the main graph, in the file's order. */
  readonly nodes: readonly ModelNode[];
  /** How often each operator occurs, in bodies of control flow and of functions as well; the most frequent first. */
  readonly operators: readonly OperatorCount[];
}

export interface OperatorCount {
  readonly domain: string;
  readonly operator: string;
  /** The version the model imports; absent for the model's own functions. */
  readonly opset?: number;
  readonly count: number;
}

export interface ModelNode {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  /** Path of the module that it belongs to. */
  readonly module?: string;
  /** Whether it calls a function that the model brings along. */
  readonly isCall: boolean;
}

export interface LoadedModel {
  readonly graph: Graph;
  readonly source: Source;
  readonly about: ModelAbout;
  /** Whether onnxruntime can read the file itself. */
  readonly isOnnx: boolean;
  /** What the sizes of the inputs must fulfil together. */
  readonly guards?: readonly Guard[];
}

/** Reads a model file of any format the importers know, which its content tells. */
export async function load(
  path: string,
  options: ExportOptions & Pick<ConvertOptions, 'signal'>,
  warn: (message: string) => void,
): Promise<LoadedModel> {
  if (isExport(fileBlob(path))) {
    const { loadExport } = await import('./load-export.js');
    return loadExport(path, options, warn);
  }
  const { model, bytes, baseDir } = readModelFile(path);
  const { shapes, dims, signal } = options;
  const graph = await importModel(model, { operators, baseDir, shapes, dims, warn }, signal);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return {
    graph,
    source: { name: basename(path), sha256, bytes: bytes.byteLength },
    about: aboutOf(model),
    isOnnx: true,
  };
}

function aboutOf(model: Model): ModelAbout {
  const functions = new Set(model.functions.map((f) => `${plain(f.domain)}::${f.name}`));
  const opsets = model.opsetImport.map(({ domain, version }) => ({ domain: plain(domain), version }));
  return {
    format: `ONNX, IR version ${model.irVersion}`,
    producer: [model.producerName, model.producerVersion].filter((s) => s !== '').join(' '),
    opsets,
    nodes: model.graph.node.map(({ name, opType, domain, output }) => ({
      name: name === '' ? (output.find((o) => o !== '') ?? '') : name,
      operator: opType,
      domain: plain(domain),
      isCall: functions.has(`${plain(domain)}::${opType}`),
    })),
    operators: countOperators([...model.graph.node, ...model.functions.flatMap((f) => f.node)], opsets),
  };
}

function countOperators(nodes: readonly Node[], opsets: ModelAbout['opsets']): readonly OperatorCount[] {
  const versions = new Map(opsets.map((o) => [o.domain, o.version]));
  const counts = new Map<string, OperatorCount>();
  const stack = [...nodes];
  for (let node = stack.pop(); node; node = stack.pop()) {
    const [domain, operator] = [plain(node.domain), node.opType];
    const key = `${domain}::${operator}`;
    const opset = versions.get(domain);
    const count = (counts.get(key)?.count ?? 0) + 1;
    counts.set(key, { domain, operator, ...(opset === undefined ? {} : { opset }), count });
    for (const a of node.attribute)
      for (const g of a.g ? [a.g, ...a.graphs] : a.graphs) stack.push(...g.node);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1));
}

const plain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);
