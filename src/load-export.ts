import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type Decomposition,
  type Decompositions,
  decompositionsIn,
  operatorName,
} from '../importers/fx/decompositions.js';
import { importProgram } from '../importers/fx/import.js';
import { exportOnnx } from '../importers/onnx/export.js';
import { isExport, openExport } from '../importers/pt2/archive.js';
import { conditionIn } from './artifact/guards.js';
import { bounds, type Dim } from './ir/dim.js';
import { inputName } from './ir/graph.js';
import type { Literal } from './ir/literal.js';
import type { LoadedModel, OperatorCount } from './load.js';
import { encodeModel } from './onnx/encode.js';
import { atenConverters } from './ops/aten/index.js';
import type { ConvertOptions } from './options.js';
import { type Blob, fileBlob } from './support/blob.js';
import { CompileError } from './support/diagnostic.js';
import { sha256File } from './support/hash.js';
import type { TensorData } from './support/tensor-data.js';

export type ExportOptions = Pick<
  ConvertOptions,
  'shapes' | 'dims' | 'program' | 'stateOutputs' | 'decompositions'
>;

async function imported(path: string, options: ExportOptions, warn: (message: string) => void) {
  const { program, shapes, dims, stateOutputs, decompositions } = options;
  const opened = openExport(fileBlob(path), program, () => weightsBeside(path));
  const result = importProgram(opened, {
    converters: atenConverters,
    decompositions: decompositions === undefined ? undefined : await decompositionsOf(decompositions),
    ...{ shapes, dims, stateOutputs, warn },
  });
  return { ...result, container: opened.container, samples: opened.samples };
}

/** What a program was exported with, and what PyTorch computed then. */
export interface RecordedRun {
  readonly inputs: ReadonlyMap<string, TensorData>;
  /** Empty where the archive has none. */
  readonly outputs: ReadonlyMap<string, TensorData>;
}

/** The run that an archive records for all inputs of its program. */
export async function recordedRun(path: string, options: ExportOptions): Promise<RecordedRun | undefined> {
  if (!isExport(fileBlob(path))) return undefined;
  const program = await imported(path, options, () => {});
  const named = (
    names: readonly (string | undefined)[],
    literals: readonly (Literal | undefined)[] | undefined,
  ): Map<string, TensorData> =>
    new Map(
      (literals?.length === names.length ? names : []).flatMap((name, i) => {
        const l = literals?.[i];
        return l && name !== undefined ? [[name, { dtype: l.dtype, shape: l.shape, bytes: l.bytes() }]] : [];
      }),
    );
  const inputs = named(program.arguments, program.samples?.inputs());
  const fits = program.graph.inputs.every((v) => {
    const given = inputs.get(inputName(v));
    if (!given || v.type.kind !== 'tensor' || v.type.dtype !== given.dtype) return false;
    const { shape } = v.type;
    const inRange = (d: Dim, size: number): boolean => {
      const [min, max] = bounds(d);
      return min <= size && size <= max;
    };
    return shape.length === given.shape.length && shape.every((d, i) => inRange(d, given.shape[i]!));
  });
  return fits ? { inputs, outputs: named(program.results, program.samples?.outputs()) } : undefined;
}

/** Reads a program that torch.export wrote. */
export async function loadExport(
  path: string,
  options: ExportOptions,
  warn: (message: string) => void,
): Promise<LoadedModel> {
  const { graph, nodes, producer, schema, guards, container } = await imported(path, options, warn);
  const counts = new Map<string, OperatorCount>();
  const shown = nodes.map(({ name, target, path: module }) => ({
    name,
    operator: target.replace(/^torch\.ops\./, ''),
    ...(module === '' ? {} : { module }),
  }));
  for (const { operator } of shown) {
    const count = (counts.get(operator)?.count ?? 0) + 1;
    counts.set(operator, { domain: '', operator, count });
  }
  return {
    graph,
    source: { name: basename(path), sha256: await sha256File(path), bytes: statSync(path).size },
    about: {
      format: `${container}, schema ${schema}`,
      producer,
      opsets: [],
      nodes: shown.map((n) => ({ ...n, domain: '', isCall: false })),
      operators: [...counts.values()].sort((a, b) => b.count - a.count || (a.operator < b.operator ? -1 : 1)),
    },
    isOnnx: false,
    guards: guards.map(({ text, condition }) => ({ text, condition: conditionIn(condition, text) })),
  };
}

/** The safetensors file of the same name as a JSON file. */
function weightsBeside(path: string): Blob | undefined {
  const beside = join(dirname(path), `${basename(path, extname(path))}.safetensors`);
  return existsSync(beside) ? fileBlob(beside) : undefined;
}

/** A JSON file, or a JavaScript module whose exports, or whose default export's members, are decompositions. */
async function decompositionsOf(path: string): Promise<Decompositions> {
  if (!/\.[cm]?[jt]s$/.test(path)) {
    const text = new TextDecoder().decode(fileBlob(path).read());
    return CompileError.within(`in ${path}`, () => decompositionsIn(text));
  }
  const module = (await import(pathToFileURL(resolve(path)).href).catch((cause: Error) => {
    throw new CompileError('bad-decomposition', `${path} cannot be loaded: ${cause.message}`);
  })) as { readonly default?: object };
  const rules = Object.entries(module.default ?? module) as [string, Decomposition][];
  return new Map(rules.map(([name, rule]) => [operatorName(name), rule]));
}

/** What onnxruntime is given in place of a model file: the file, or for an export the same program as ONNX. */
export async function referenceModel(
  path: string,
  options: ExportOptions = {},
): Promise<string | Uint8Array> {
  if (!isExport(fileBlob(path))) return path;
  const { graph } = await imported(path, options, () => {});
  return encodeModel(exportOnnx(graph));
}
