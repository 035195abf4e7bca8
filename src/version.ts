import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { packageRoot } from './package-root.js';

/** The version of this package. */
export const toolVersion: string = (
  JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as { version: string }
).version;

/** The version of a package this one depends on. */
export const versionOf = (name: string): string =>
  (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version;
