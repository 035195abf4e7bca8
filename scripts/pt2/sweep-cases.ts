import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { inputName } from '../../src/ir/graph.js';
import { load } from '../../src/load.js';
import { sha256Parts } from '../../src/support/hash.js';
import { installed, repository, say } from '../cache.js';
import type { SuiteCase } from '../suite-fetch.js';
import { torchEnv } from '../torch-env.js';

/** One form in which an operator is called, exported by PyTorch. */
export interface SweepCase {
  /** `operator/number`. */
  readonly name: string;
  readonly operator: string;
  readonly family: 'core' | 'composite';
  /** The arguments in words. */
  readonly form: string;
  /** Whether its extents are symbols. */
  readonly dynamic: boolean;
  /** Whether equal elements may come in any order: then what their places lead to is compared. */
  readonly ties: boolean;
  /** Whether results in double precision are expected, as those of eager PyTorch are further off than the bounds. */
  readonly exact: boolean;
  /** Of how many elements a result is computed. */
  readonly terms: number;
  readonly rtol: number;
  readonly atol: number;
  /** What the exported program calls. */
  readonly operators: readonly string[];
}

export interface SweepListing {
  readonly torch: string;
  /** The core operators, without `aten.`. */
  readonly core: readonly string[];
  /** Core operators that have no cases, and why. */
  readonly outside: Readonly<Record<string, string>>;
  /** Operators of which PyTorch did not export some form, with its reason. */
  readonly not_exported: Readonly<Record<string, string>>;
  readonly cases: readonly SweepCase[];
}

const sources = ['sweep.py', 'bounds.py', 'cases.py', 'data.py'].map((f) =>
  join(repository, 'scripts', 'pt2', f),
);

export interface Sweep {
  readonly root: string;
  readonly listing: SweepListing;
}

/** The exported operators in .cache/pt2-sweep; made by PyTorch on the first call. */
export async function sweep(): Promise<Sweep> {
  const pins = join(repository, 'scripts', 'requirements-torch.txt');
  const stamp = sha256Parts(await Promise.all([...sources, pins].map((f) => readFile(f))));
  const root = await installed('pt2-sweep', stamp, async (directory) => {
    const python = await torchEnv();
    say('Exporting operators with PyTorch into .cache/pt2-sweep (several minutes) …');
    await execa(python, [sources[0]!, directory], { stdout: 'ignore' });
  });
  return { root, listing: JSON.parse(await readFile(join(root, 'cases.json'), 'utf8')) };
}

/** A case in the form that the conformance runner takes. Throws what importing the program throws. */
export async function runnable(root: string, test: SweepCase): Promise<SuiteCase> {
  const directory = join(root, test.name);
  const model = join(directory, 'model.pt2');
  const { graph } = await load(model, {}, () => {});
  const port = (name: string) => ({ name, kind: 'tensor' as const, dtype: '' });
  return {
    suite: 'node',
    name: test.name.replaceAll('/', '-'),
    ...{ rtol: test.rtol, atol: test.atol, irVersion: 0, opsets: {}, functions: 0, dataSets: 1 },
    operators: test.operators,
    inputs: graph.inputs.map((v) => port(inputName(v))),
    outputs: graph.outputNames.map(port),
    ...{ directory, model },
  };
}
