import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { CompileError } from '../src/support/diagnostic.js';
import { sha256Parts } from '../src/support/hash.js';
import { installed, isProgram, repository, runProgram, say, systemPython } from './cache.js';

const requirements = join(repository, 'scripts', 'requirements-torch.txt');

/**
 * The interpreter of an environment that holds the pinned torch, torchvision and transformers. Only the tables of
 * PyTorch programs need it: the wheels take several gigabytes, so no test asks for it.
 */
export function torchEnv(): Promise<string> {
  environment ??= prepare();
  return environment;
}

let environment: Promise<string> | undefined;

async function prepare(): Promise<string> {
  const system = await systemPython();
  const { stdout: version } = await execa(system, ['-VV']);
  const stamp = sha256Parts([await readFile(requirements), system, version]);
  const directory = await installed('torch', stamp, async (target) => {
    say('Installing PyTorch, torchvision and transformers into .cache/torch (about 6 GB on Linux) …');
    await execa(system, ['-m', 'venv', target]);
    await install(pythonOf(target));
  });
  return pythonOf(directory);
}

const pythonOf = (directory: string): string => join(directory, 'bin', 'python');

async function install(python: string): Promise<void> {
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--no-cache-dir'];
  const wheels = ['--only-binary', ':all:', '-r', requirements];
  const { exitCode, stderr } = await execa(python, [...pip, ...wheels], { reject: false });
  if (exitCode === 0) return;
  throw new CompileError(
    'python-packages',
    `pip could not install scripts/requirements-torch.txt:\n${stderr.trim()}`,
    'check the connection to the package index and the space on the disk, and that this Python and processor have wheels of these versions',
  );
}

if (isProgram(import.meta.url)) await runProgram(async () => console.log(await torchEnv()));
