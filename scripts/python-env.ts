import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CompileError } from '../src/support/diagnostic.js';
import { sha256Parts } from '../src/support/hash.js';
import { installed, isProgram, repository, runProgram, say, systemPython } from './cache.js';

const requirements = join(repository, 'scripts', 'requirements.txt');

/**
 * The interpreter of an environment that holds the pinned onnx, onnxruntime, numpy and clang-format; made on the
 * first call, and again when the pins or the system's Python change.
 */
export function pythonEnv(): Promise<string> {
  environment ??= prepare();
  return environment;
}

let environment: Promise<string> | undefined;

async function prepare(): Promise<string> {
  const system = await systemPython();
  const { stdout: version } = await execa(system, ['-VV']);
  const stamp = sha256Parts([await readFile(requirements), system, version]);
  const directory = await installed('python', stamp, async (target) => {
    say('Installing the Python packages that the tests compare with into .cache/python (about 200 MB) …');
    await execa(system, ['-m', 'venv', target]);
    await installRequirements(pythonOf(target));
  });
  return pythonOf(directory);
}

/** A program that the environment's packages brought, such as `clang-format`. */
export async function pythonProgram(name: string): Promise<string> {
  return join(await pythonEnv(), '..', name);
}

function pythonOf(directory: string): string {
  return join(directory, 'bin', 'python');
}

async function installRequirements(python: string): Promise<void> {
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet'];
  const pinned = ['--only-binary', ':all:', '--require-hashes', '-r', requirements];
  const { exitCode, stderr } = await execa(python, [...pip, ...pinned], { reject: false });
  if (exitCode === 0) return;
  throw new CompileError(
    'python-packages',
    `pip could not install scripts/requirements.txt:\n${stderr.trim()}`,
    'check the connection to the package index, and that this Python and processor have wheels of these versions',
  );
}

if (isProgram(import.meta.url)) await runProgram(async () => console.log(await pythonEnv()));
