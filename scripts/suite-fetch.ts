import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { sha256Parts } from '../src/support/hash.js';
import { installed, isProgram, repository, runProgram, say } from './cache.js';
import { pythonEnv } from './python-env.js';

export type SuiteName = 'node' | 'simple' | 'pytorch-converted' | 'pytorch-operator' | 'light';

/** A tensor's dims are numbers, symbols, or null where nothing is declared; no shape at all is no known rank. */
export type SuiteType =
  | {
      readonly kind: 'tensor' | 'sparse_tensor';
      readonly dtype: string;
      readonly shape?: readonly (number | string | null)[];
    }
  | { readonly kind: 'sequence' | 'optional'; readonly of: SuiteType }
  | { readonly kind: 'map' | 'unknown' };

export type SuiteValue = SuiteType & { readonly name: string };

type ListedCase = {
  readonly suite: SuiteName;
  readonly name: string;
  readonly rtol: number;
  readonly atol: number;
  readonly irVersion: number;
  /** By domain; the standard one is `''`. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Sorted; those of bodies and functions included; `domain::Name` outside the standard domain. */
  readonly operators: readonly string[];
  /** How many model-local functions there are. */
  readonly functions: number;
  /** In the order of `input_<i>.pb`. */
  readonly inputs: readonly SuiteValue[];
  /** In the order of `output_<i>.pb`. */
  readonly outputs: readonly SuiteValue[];
  /** How many `test_data_set_<i>` there are. */
  readonly dataSets: number;
};

export type SuiteCase = ListedCase & {
  readonly directory: string;
  readonly model: string;
};

const generator = join(repository, 'scripts', 'suite', 'generate.py');
const requirements = join(repository, 'scripts', 'requirements.txt');

/** The folder of the ONNX backend suites; generated from the pinned onnx package on the first call. */
export async function suiteRoot(): Promise<string> {
  const stamp = sha256Parts([await readFile(generator), await readFile(requirements)]);
  return installed('suite', stamp, async (directory) => {
    const python = await pythonEnv();
    say('Generating the ONNX backend test suites into .cache/suite …');
    await execa(python, [generator, directory], { stdout: 'ignore' });
  });
}

/** Every case of the ONNX backend suites, sorted by suite and name. */
export async function suite(): Promise<readonly SuiteCase[]> {
  const root = await suiteRoot();
  const listing: { readonly cases: readonly ListedCase[] } = JSON.parse(
    await readFile(join(root, 'cases.json'), 'utf8'),
  );
  return listing.cases.map((listed) => {
    const directory = join(root, listed.suite, listed.name);
    return { ...listed, directory, model: join(directory, 'model.onnx') };
  });
}

if (isProgram(import.meta.url))
  await runProgram(async () => {
    const cases = await suite();
    console.log(`${cases.length} cases in ${await suiteRoot()}`);
  });
