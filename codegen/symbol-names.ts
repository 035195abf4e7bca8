import { Cpp } from './cpp.js';

/** C++ names of symbols; only defined ones may be mentioned. */
export class Symbols {
  readonly #names = new Map<string, Cpp>();
  readonly #taken = new Set<string>();

  has(symbol: string): boolean {
    return this.#names.has(symbol);
  }

  /** An identifier behind a prefix that no keyword begins with, numbered where another symbol has it. */
  define(symbol: string): Cpp {
    const words = symbol.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
    const base = ['d', ...words].join('_').slice(0, 48).replace(/_$/, '');
    let name = base;
    for (let i = 2; this.#taken.has(name); i++) name = `${base}_${i}`;
    this.#taken.add(name);
    const text = new Cpp(name);
    this.#names.set(symbol, text);
    return text;
  }

  name(symbol: string): Cpp {
    const name = this.#names.get(symbol);
    if (!name) throw new Error(`the extent ${symbol} is not known where it is needed`);
    return name;
  }
}
