import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CompileError } from '../src/support/diagnostic.js';
import { sha256Parts } from '../src/support/hash.js';
import { installed, repository, say, systemPython } from './cache.js';

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
  const { stdout: version } = await execa(system, ['-VV']);
  const stamp = sha256Parts([await readFile(requirements), system, version]);
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

export const pythonOf = (environment: string): string => join(environment, 'bin', 'python');
