import { type Cpp, ident } from './cpp.js';

/** C++ names of symbols; only defined ones may be mentioned. */
export class Symbols {
  readonly #names = new Map<string, Cpp>();
  has(symbol: string): boolean {
    return this.#names.has(symbol);
  }
  define(symbol: string): Cpp {
    const name = ident('d_', symbol);
    this.#names.set(symbol, name);
    return name;
  }
  name(symbol: string): Cpp {
    const name = this.#names.get(symbol);
    if (!name) throw new Error(`the extent ${symbol} is not known where it is needed`);
    return name;
  }
}
