import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CompileError } from '../src/support/diagnostic.js';
import { sha256Parts } from '../src/support/hash.js';
import { cacheRoot, installed, repository, say, systemPython } from './cache.js';

export interface PythonPackages {
  /** The folder of .cache that holds the environment. */
  readonly name: string;
  /** A file of scripts/ with the pinned versions. */
  readonly requirements: string;
  readonly options: readonly string[];
  /** What is said while it is installed. */
  readonly message: string;
  readonly hint: string;
}

/** A Python environment with pinned packages: made on first use, and again when the pins or the system's Python change. */
export async function pythonPackages(packages: PythonPackages): Promise<string> {
  const requirements = join(repository, 'scripts', packages.requirements);
  const system = await systemPython();
  const stamp = await stampOf(packages, system);
  return installed(packages.name, stamp, async (target) => {
    say(packages.message);
    await execa(system, ['-m', 'venv', target]);
    const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--only-binary', ':all:'];
    const all = [...pip, ...packages.options, '-r', requirements];
    const { exitCode, stderr } = await execa(pythonOf(target), all, { reject: false });
    if (exitCode === 0) return;
    throw new CompileError(
      'python-packages',
      `pip could not install scripts/${packages.requirements}:\n${stderr.trim()}`,
      packages.hint,
    );
  });
}

/** Whether an environment is there as it would be made now. */
export async function isInstalled(packages: PythonPackages): Promise<boolean> {
  const known = await readFile(join(cacheRoot, packages.name, '.stamp'), 'utf8').catch(() => '');
  return known !== '' && known === (await stampOf(packages, await systemPython()));
}

async function stampOf({ requirements }: PythonPackages, system: string): Promise<string> {
  const { stdout: version } = await execa(system, ['-VV']);
  return sha256Parts([await readFile(join(repository, 'scripts', requirements)), system, version]);
}

export const pythonOf = (environment: string): string => join(environment, 'bin', 'python');
