import { isProgram, runProgram } from './cache.js';
import { pythonOf, pythonPackages } from './python-packages.js';

/**
 * The interpreter of an environment that holds the pinned torch, torchvision and transformers. Only the tables of
 * PyTorch programs need it: the wheels take several gigabytes, so no test asks for it.
 */
export function torchEnv(): Promise<string> {
  environment ??= pythonPackages({
    name: 'torch',
    requirements: 'requirements-torch.txt',
    options: ['--no-cache-dir'],
    message: 'Installing PyTorch, torchvision and transformers into .cache/torch (about 6 GB on Linux) …',
    hint: 'check the connection to the package index and the space on the disk, and that this Python and processor have wheels of these versions',
  }).then(pythonOf);
  return environment;
}

let environment: Promise<string> | undefined;

if (isProgram(import.meta.url)) await runProgram(async () => console.log(await torchEnv()));
