import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderExitCodes } from '../../src/cli/exit-codes.js';
import { renderEnvTable } from '../../src/support/env.js';
import { repository } from '../cache.js';
import { commandReference } from './options.js';
import { models, networks, operators, suites } from './support.js';

const example = (file: string, language: string) => async (): Promise<string> => {
  const text = await readFile(join(repository, 'docs', 'examples', file), 'utf8');
  return `\`\`\`${language}\n${text}\`\`\``;
};

/** The parts of README.md that follow from something else. */
const blocks: Readonly<Record<string, () => string | Promise<string>>> = {
  commands: commandReference,
  'environment variables': renderEnvTable,
  'exit codes': renderExitCodes,
  suites,
  operators,
  models,
  networks,
  'docs/examples/session.mjs': example('session.mjs', 'js'),
  'docs/examples/hybrid.py': example('hybrid.py', 'python'),
  'docs/examples/engine.c': example('engine.c', 'c'),
};

export const readmeFile = join(repository, 'README.md');

/** The text with each `<!-- made by npm run docs: name -->` … `<!-- end -->` filled anew. */
export async function rendered(text: string): Promise<string> {
  const pieces: string[] = [];
  let at = 0;
  for (const found of text.matchAll(/<!-- made by npm run docs: (.*) -->\n[\s\S]*?<!-- end -->/g)) {
    const name = found[1]!;
    const block = blocks[name];
    if (block === undefined)
      throw new Error(`README.md asks for "${name}", which is none of ${Object.keys(blocks)}`);
    const filled = `<!-- made by npm run docs: ${name} -->\n\n${await block()}\n\n<!-- end -->`;
    pieces.push(text.slice(at, found.index), filled);
    at = found.index + found[0].length;
  }
  return [...pieces, text.slice(at)].join('');
}

/** Brings README.md up to date with the sources and the tables. */
export async function writeReadme(): Promise<void> {
  await writeFile(readmeFile, await rendered(await readFile(readmeFile, 'utf8')));
}
