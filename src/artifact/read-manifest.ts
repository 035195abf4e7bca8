import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CompileError } from '../support/diagnostic.js';
import { carriersOf } from './container.js';
import { conditionIn, type Guard } from './guards.js';
import { count, either, flag, listOf, number, oneOf, record, text } from './json-check.js';
import type {
  AccuracyRecord,
  Manifest,
  NarrowValue,
  Port,
  ScaleRecord,
  Step,
  SymbolicExtent,
  WeightRecord,
} from './manifest.js';

export const MANIFEST_FILE = 'manifest.json';
export const SCHEMA_VERSION = 1;

/** Reads `manifest.json` of an engine directory. */
export async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, MANIFEST_FILE);
  const contents = await readFile(path, 'utf8').catch(async (cause: Error) => {
    const found = await stat(directory).catch(() => undefined);
    if (found === undefined)
      throw new CompileError('missing-engine', `there is no engine directory ${directory}`, HINT);
    if (!found.isDirectory())
      throw new CompileError('missing-engine', `${directory} is no engine directory but a file`, HINT);
    throw new CompileError('missing-engine', `${directory} has no readable manifest: ${cause.message}`, HINT);
  });
  return CompileError.within(`in ${path}`, () => parseManifest(contents));
}

const HINT = 'name the directory that ait-convert wrote';

export function parseManifest(contents: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(contents);
  } catch (cause) {
    throw new CompileError(
      'bad-manifest',
      `the manifest is not JSON: ${(cause as Error).message}`,
      'the engine directory is damaged; convert the model again',
    );
  }
  const version: unknown =
    typeof json === 'object' && json !== null && 'schema' in json ? json.schema : undefined;
  if (typeof version === 'number' && version !== SCHEMA_VERSION) {
    throw new CompileError(
      'manifest-version',
      `the manifest has schema ${version}, and this version of ait-convert reads schema ${SCHEMA_VERSION}`,
      version > SCHEMA_VERSION ? 'update ait-convert' : 'convert the model again',
    );
  }
  const parsed = manifest(json, '');
  checkValues(parsed);
  return parsed;
}

const symbolicExtent = record<SymbolicExtent>({ symbol: text, min: count }, { max: count });

const port = record<Port>(
  { name: text, value: text, dtype: text },
  {
    shape: listOf(either(count, (v) => typeof v === 'number', symbolicExtent)),
    below: count,
    modelDtype: text,
  },
);

/** A file inside the engine directory, wherever the directory came from. */
function insideFile(value: unknown, where: string): string {
  const name = text(value, where);
  const parts = name.split(/[/\\]/);
  if (name === '' || name.includes('\0') || /^([/\\]|[a-z]:)/i.test(name) || parts.includes('..')) {
    throw new CompileError('bad-manifest', `${where} names ${JSON.stringify(name)}, outside the directory`);
  }
  return name;
}

const stepMembers = { inputs: listOf(text), outputs: listOf(text), nodes: count };
const narrowValue = record<NarrowValue>({ value: text, dtype: text }, {});
const optionalStepMembers = { work: number, narrow: listOf(narrowValue) };
const engineStep = record<Step>(
  { kind: oneOf('engine', 'fallback'), target: text, ...stepMembers },
  optionalStepMembers,
);
const fallbackStep = record<Step>(
  { kind: oneOf('engine', 'fallback'), target: insideFile, ...stepMembers },
  optionalStepMembers,
);

function isFallback(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'fallback';
}

const weightRecord = record<WeightRecord>({ name: text, offset: count, bytes: count, sha256: text }, {});

const accuracyRecord = record<AccuracyRecord>(
  {
    output: text,
    maxAbsolute: number,
    maxRelative: number,
    cosine: number,
    tolerance: record<AccuracyRecord['tolerance']>({ atol: number, rtol: number }, {}),
    pass: flag,
  },
  {},
);

const scaleRecord = record<ScaleRecord>(
  { accumulation: number, depth: number, quantised: flag },
  { storage: text },
);

const manifest = record<Manifest>(
  {
    schema: oneOf(SCHEMA_VERSION),
    tool: record<Manifest['tool']>({ name: oneOf('ait-convert'), version: text }, {}),
    source: record<Manifest['source']>({ name: text, sha256: text, bytes: count }, {}),
    target: record<Manifest['target']>(
      { kind: oneOf('cpu', 'cuda', 'rocm', 'emulated'), arch: text, isa: text, compiler: text },
      { precision: oneOf('fp16', 'bf16', 'fp32'), tf32: flag },
    ),
    inputs: listOf(port),
    outputs: listOf(port),
    steps: listOf(either(fallbackStep, isFallback, engineStep)),
    weights: record<Manifest['weights']>(
      { file: insideFile, bytes: count, tensors: listOf(weightRecord) },
      {},
    ),
    accuracy: listOf(accuracyRecord),
    kernels: listOf(text),
  },
  { scale: scaleRecord, guards: listOf(record<Guard>({ text, condition: conditionIn }, {})) },
);

/** Every value is there before it is read, and made once. */
function checkValues({ inputs, outputs, steps }: Manifest): void {
  const made = new Set(inputs.flatMap(carriersOf));
  const read = (value: string, reader: string) => {
    if (!made.has(value))
      throw new CompileError('bad-manifest', `${reader} reads "${value}", which no earlier step makes`);
  };
  for (const step of steps) {
    for (const value of step.inputs) read(value, `step "${step.target}"`);
    for (const value of step.outputs) {
      if (made.has(value))
        throw new CompileError('bad-manifest', `step "${step.target}" makes "${value}" a second time`);
      made.add(value);
    }
  }
  for (const output of outputs)
    for (const value of carriersOf(output)) read(value, `output "${output.name}"`);
}
