import { type Dim, symbol } from '../../src/ir/dim.js';
import { CompileError } from '../../src/support/diagnostic.js';

export interface DimRange {
  readonly min: number;
  readonly max: number;
}

const reserved = new Set(['floordiv', 'mod', 'min', 'max', 'lt', 'eq', 'select', 'none', 'true', 'false']);

/** Gives out the symbols of one import: each name once, in letters that the printed IR can carry. */
export class Symbols {
  readonly #taken = new Set<string>();
  readonly #all = new Map<string, Dim>();
  readonly #named = new Map<string, Dim>();

  constructor(
    private readonly ranges: ReadonlyMap<string, DimRange>,
    private readonly prefix: string,
  ) {}

  /** A symbol nobody has yet, named after `hint`. */
  fresh(hint: string, min = 0, max = Number.POSITIVE_INFINITY): Dim {
    const name = this.#unique(hint);
    const dim = symbol(name, min, max);
    this.#all.set(name, dim);
    return dim;
  }

  /** The symbol of this key. */
  of(key: string): Dim {
    return this.#all.get(key)!;
  }

  /** The symbol of a dimension that the model names: the same for the same name. */
  named(name: string): Dim {
    let dim = this.#named.get(name);
    if (dim === undefined) {
      const { min, max } = this.#rangeOf(name);
      dim = this.fresh(name, min, max);
      this.#named.set(name, dim);
    }
    return dim;
  }

  known(name: string): Dim | undefined {
    return this.#named.get(name);
  }

  /** Gives a named dimension its extent. What it was given before, if that differs, is returned. */
  fix(name: string, dim: Dim): Dim | undefined {
    const before = this.#named.get(name);
    if (before === undefined) this.#named.set(name, dim);
    return before !== undefined && before !== dim ? before : undefined;
  }

  #rangeOf(name: string): DimRange {
    const range = this.ranges.get(name) ?? { min: 0, max: Number.POSITIVE_INFINITY };
    if (!(range.min >= 0 && range.min <= range.max))
      throw new CompileError(
        'bad-dim-range',
        `dimension "${name}" cannot lie between ${range.min} and ${range.max}`,
        'give a smallest value of 0 or more and a largest that is not below it',
      );
    return range;
  }

  #unique(hint: string): string {
    const letters = hint.replace(/[^A-Za-z0-9_]/g, '_').slice(0, 64);
    const base = `${this.prefix}${/^[A-Za-z_]/.test(this.prefix + letters) ? letters : `d${letters}`}`;
    let name = base;
    for (let i = 2; this.#taken.has(name) || reserved.has(name); i++) name = `${base}_${i}`;
    this.#taken.add(name);
    return name;
  }
}
