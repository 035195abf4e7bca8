import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { sha256Parts } from '../src/support/hash.js';

interface Header {
  readonly text: string;
  /** As the text spells them. */
  readonly includes: readonly string[];
}

/** The headers kernels may include, for cache keys: a change in one makes old objects of its users useless. */
export class Headers {
  readonly #names: ReadonlySet<string>;
  readonly #read = new Map<string, Header>();

  private constructor(
    readonly directory: string,
    names: readonly string[],
  ) {
    this.#names = new Set(names);
  }

  static async read(dir: string): Promise<Headers> {
    return new Headers(
      dir,
      (await readdir(dir, { recursive: true })).filter((n) => n.endsWith('.h')),
    );
  }

  /** A hash over every header a source reaches. */
  hashFor(source: string): string {
    const reached = new Map<string, string>();
    const visit = (includes: readonly string[], from: string): void => {
      for (const name of includes) {
        const found = [name, normalize(join(dirname(from), name))].find((n) => this.#names.has(n));
        if (found === undefined || reached.has(found)) continue;
        const header = this.#header(found);
        reached.set(found, header.text);
        visit(header.includes, found);
      }
    };
    visit(includesOf(source), '');
    return sha256Parts([...reached].sort(([a], [b]) => (a < b ? -1 : 1)).flat());
  }

  #header(name: string): Header {
    const known = this.#read.get(name);
    if (known) return known;
    const text = readFileSync(join(this.directory, name), 'utf8');
    const header = { text, includes: includesOf(text) };
    this.#read.set(name, header);
    return header;
  }
}

const includesOf = (text: string): readonly string[] =>
  [...text.matchAll(/^#include "([^"]+)"/gm)].map((m) => m[1]!);
