import { type Call, type Dim, symbolsOf } from '../src/ir/dim.js';
import type { Graph } from '../src/ir/graph.js';
import { Cpp, callText, cpp, dimText } from './cpp.js';
import { extentsOf } from './kernel.js';
import { Symbols } from './symbol-names.js';

/** Extents as C++ over variables, which statements of `body` define where they are first needed. */
export class ExtentText {
  readonly #calls = new Map<string, Cpp>();
  readonly #symbols = new Symbols();

  constructor(
    readonly g: Graph,
    readonly body: Cpp[],
  ) {}

  has(symbol: string): boolean {
    return this.#symbols.has(symbol);
  }

  define(symbol: string, value: Cpp): void {
    this.body.push(cpp`const int64_t ${this.#symbols.define(symbol)} = ${value};`);
  }

  readonly text = (d: Dim): Cpp => dimText(d, this.#name, this.#call);

  /** Whether every symbol is known from the inputs' extents alone. */
  known(d: Dim): boolean {
    return [...symbolsOf(d).keys()].every((s) => {
      const source = this.#source(s);
      return this.has(s) || (source !== undefined && this.known(source));
    });
  }

  /** What a symbol that stands for an expression is. */
  #source(symbol: string): Dim | undefined {
    const binding = this.g.bindings.get(symbol);
    return binding && extentsOf(binding.value)?.[binding.element];
  }

  /** An integer function of extents is computed once. */
  readonly #call = (atom: Call): Cpp => {
    let known = this.#calls.get(atom.key);
    if (!known) {
      const value = callText(atom, this.#name, this.#call);
      known = new Cpp(`n${this.#calls.size}`);
      this.#calls.set(atom.key, known);
      this.body.push(cpp`const int64_t ${known} = ${value};`);
    }
    return known;
  };

  readonly #name = (symbol: string): Cpp => {
    const source = this.#source(symbol);
    if (source !== undefined && !this.has(symbol)) this.define(symbol, this.text(source));
    return this.#symbols.name(symbol);
  };
}
