import { isProgram, runProgram } from './cache.js';
import { unicodeLocale } from './locale.js';
import { pythonEnv } from './python-env.js';
import { suite } from './suite-fetch.js';
import { onnxruntimeReference } from './suite-reference.js';
import { zoo } from './zoo-fetch.js';

/** Brings everything that the tests use beyond npm packages into the cache. */
export async function setUp(): Promise<void> {
  await pythonEnv();
  await unicodeLocale();
  await suite();
  await onnxruntimeReference();
  await zoo();
}

if (isProgram(import.meta.url)) await runProgram(setUp);
