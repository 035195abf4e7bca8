import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { importProgram } from '../importers/fx/import.js';
import { exportOnnx } from '../importers/onnx/export.js';
import { isExport, openExport } from '../importers/pt2/archive.js';
import type { LoadedModel, OperatorCount } from './load.js';
import { encodeModel } from './onnx/encode.js';
import { atenConverters } from './ops/aten/index.js';
import type { ConvertOptions } from './options.js';
import { type Blob, fileBlob } from './support/blob.js';
import { sha256File } from './support/hash.js';

type ExportOptions = Pick<ConvertOptions, 'shapes' | 'dims' | 'program'>;

/** Reads a program that torch.export wrote. */
export async function loadExport(
  path: string,
  { shapes, dims, program }: ExportOptions,
  warn: (message: string) => void,
): Promise<LoadedModel> {
  const file = fileBlob(path);
  const opened = openExport(file, program, () => weightsBeside(path));
  const { graph, nodes, producer, schema } = importProgram(opened, {
    converters: atenConverters,
    shapes,
    dims,
    warn,
  });
  const counts = new Map<string, OperatorCount>();
  const shown = nodes.map(({ name, target }) => ({ name, operator: target.replace(/^torch\.ops\./, '') }));
  for (const { operator } of shown) {
    const count = (counts.get(operator)?.count ?? 0) + 1;
    counts.set(operator, { domain: '', operator, count });
  }
  return {
    graph,
    source: { name: basename(path), sha256: await sha256File(path), bytes: file.byteLength },
    about: {
      format: `${opened.container}, schema ${schema}`,
      producer,
      opsets: [],
      nodes: shown.map((n) => ({ ...n, domain: '', isCall: false })),
      operators: [...counts.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1)),
    },
    isOnnx: false,
  };
}

/** The safetensors file of the same name as a JSON file. */
function weightsBeside(path: string): Blob | undefined {
  const beside = join(dirname(path), `${basename(path, extname(path))}.safetensors`);
  return existsSync(beside) ? fileBlob(beside) : undefined;
}

/** What onnxruntime is given in place of a model file: the file, or for an export the same program as ONNX. */
export function referenceModel(path: string, options: ExportOptions = {}): string | Uint8Array {
  const file = fileBlob(path);
  if (!isExport(file)) return path;
  const { shapes, dims, program } = options;
  const opened = openExport(file, program, () => weightsBeside(path));
  const imported = importProgram(opened, { converters: atenConverters, shapes, dims, warn: () => {} });
  return encodeModel(exportOnnx(imported.graph));
}
