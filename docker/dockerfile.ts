import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that `docker build` is given. */
export const context = fileURLToPath(new URL('..', import.meta.url));

export interface Instruction {
  /** In capitals. */
  readonly name: string;
  readonly rest: string;
}

/** The instructions of a Dockerfile, continued lines joined, comments dropped. */
export async function instructionsOf(file: string): Promise<readonly Instruction[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  const whole = lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  return whole.map((line) => {
    const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line)!;
    return { name: name!.toUpperCase(), rest: rest! };
  });
}

/** Whether `.dockerignore` lets a file of the context, or a folder on the way to one, into the build. */
export async function contextFilter(): Promise<(path: string) => boolean> {
  const lines = (await readFile(join(context, '.dockerignore'), 'utf8')).split('\n');
  const rules = lines
    .filter((line) => !/^(#|$)/.test(line))
    .map((line) => ({ kept: line.startsWith('!'), pattern: expression(line.replace(/^!/, '')) }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.kept ?? true;
}

/** A pattern matches a path and whatever lies below it. */
function expression(glob: string): RegExp {
  const source = glob
    .split(/(\*\*\/|\*)/)
    .map((part) =>
      part === '**/' ? '(?:.*/)?' : part === '*' ? '[^/]*' : part.replace(/[.+^$()|[\]{}]/g, '\\$&'),
    )
    .join('');
  return new RegExp(`^${source}(?:/|$)`);
}
