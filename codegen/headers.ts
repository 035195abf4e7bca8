import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { sha256Parts } from '../src/support/hash.js';

/** The headers kernels may include, for cache keys: a change in one makes old objects of its users useless. */
export class Headers {
  readonly #texts: ReadonlyMap<string, string>;

  private constructor(texts: ReadonlyMap<string, string>) {
    this.#texts = texts;
  }

  static async read(dir: string): Promise<Headers> {
    const names = (await readdir(dir, { recursive: true })).filter((n) => n.endsWith('.h')).sort();
    const texts = await Promise.all(names.map((n) => readFile(join(dir, n), 'utf8')));
    return new Headers(new Map(names.map((n, i) => [n, texts[i]!])));
  }

  /** A hash over every header a source reaches. */
  hashFor(source: string): string {
    const reached = new Map<string, string>();
    const visit = (text: string, from: string): void => {
      for (const [, name] of text.matchAll(/^#include "([^"]+)"/gm)) {
        const found = [name!, normalize(join(dirname(from), name!))].find((n) => this.#texts.has(n));
        if (found === undefined || reached.has(found)) continue;
        reached.set(found, this.#texts.get(found)!);
        visit(this.#texts.get(found)!, found);
      }
    };
    visit(source, '');
    return sha256Parts([...reached].sort(([a], [b]) => (a < b ? -1 : 1)).flat());
  }
}
