import { isProgram, runProgram } from './cache.js';
import { isInstalled, type PythonPackages, pythonOf, pythonPackages } from './python-packages.js';

/**
 * The interpreter of an environment that holds the pinned torch, torchvision and transformers. Only the tables of
 * PyTorch programs need it: the wheels take several gigabytes, so no test asks for it.
 */
export function torchEnv(): Promise<string> {
  environment ??= pythonPackages(packages).then(pythonOf);
  return environment;
}

/** Whether it is installed: what needs it is left out where it is not. */
export const hasTorchEnv = (): Promise<boolean> => isInstalled(packages);

const packages: PythonPackages = {
  name: 'torch',
  requirements: 'requirements-torch.txt',
  options: ['--no-cache-dir'],
  message: 'Installing PyTorch, torchvision and transformers into .cache/torch (about 6 GB on Linux) …',
  hint: 'check the connection to the package index and the space on the disk, and that this Python and processor have wheels of these versions',
};

let environment: Promise<string> | undefined;

if (isProgram(import.meta.url)) await runProgram(async () => console.log(await torchEnv()));
