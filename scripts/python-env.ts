import { join } from 'node:path';
import { isProgram, runProgram } from './cache.js';
import { pythonOf, pythonPackages } from './python-packages.js';

/** The interpreter of an environment that holds the pinned onnx, onnxruntime, numpy and clang-format. */
export function pythonEnv(): Promise<string> {
  environment ??= pythonPackages({
    name: 'python',
    requirements: 'requirements.txt',
    options: ['--require-hashes'],
    message: 'Installing the Python packages that the tests compare with into .cache/python (about 200 MB) …',
    hint: 'check the connection to the package index, and that this Python and processor have wheels of these versions',
  }).then(pythonOf);
  return environment;
}

let environment: Promise<string> | undefined;

/** A program that the environment's packages brought, such as `clang-format`. */
export async function pythonProgram(name: string): Promise<string> {
  return join(await pythonEnv(), '..', name);
}

if (isProgram(import.meta.url)) await runProgram(async () => console.log(await pythonEnv()));
