import { CompileError } from '../support/diagnostic.js';
import { add, apply, type Dim, type DimFunction, mul, symbol } from './dim.js';
import { call, cast, constant, type Expr, type ScalarFunction, scalarFunctions } from './expr.js';
import { type DType, isDType, type ValueType } from './type.js';

const dimFunctions: ReadonlySet<string> = new Set<DimFunction>([
  'floordiv',
  'mod',
  'min',
  'max',
  'lt',
  'eq',
  'select',
]);

const isScalarFunction = (s: string): s is ScalarFunction => s in scalarFunctions;
const isDimFunction = (s: string): s is DimFunction => dimFunctions.has(s);

/** Reads the pieces of printed IR: names, numbers, dims, expressions, types. Spaces between them do not matter. */
export class Scanner {
  #at = 0;
  readonly #symbols = new Map<string, Dim>();

  constructor(private readonly text: string) {}

  fail(expected: string): never {
    const before = this.text.slice(0, this.#at).split('\n');
    const found = JSON.stringify(this.text.slice(this.#at, this.#at + 20));
    throw new CompileError(
      'bad-ir-text',
      `line ${before.length}, column ${before.at(-1)!.length + 1}: expected ${expected}, found ${found}`,
    );
  }

  /** The text a pattern matches here, or undefined. */
  take(pattern: RegExp): string | undefined {
    const sticky = new RegExp(pattern.source, 'sy');
    for (; /\s/.test(this.text[this.#at] ?? ''); this.#at++);
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** Whether a pattern matches here; reads nothing. */
  sees(pattern: RegExp): boolean {
    const start = this.#at;
    const found = this.take(pattern) !== undefined;
    this.#at = start;
    return found;
  }

  need(pattern: RegExp, what: string): string {
    return this.take(pattern) ?? this.fail(what);
  }

  name(what = 'a name'): string {
    return this.need(/[A-Za-z_]\w*/, what);
  }

  list<T>(end: RegExp, item: () => T): readonly T[] {
    const items: T[] = [];
    if (this.take(end) !== undefined) return items;
    do items.push(item());
    while (this.take(/,/) !== undefined);
    this.need(end, `"," or ${end.source}`);
    return items;
  }

  number(): number {
    return Number(this.need(/-?(\d+(\.\d+)?(e[+-]?\d+)?|Infinity)|NaN/, 'a number'));
  }

  /** Gives a symbol its range; without this it is 0 or more. */
  range(name: string, min: number, max: number): void {
    this.#symbols.set(name, symbol(name, min, max));
  }

  dim(): Dim {
    const terms: Dim[] = [];
    do {
      const factors: Dim[] = [];
      do factors.push(this.#factor());
      while (this.take(/\*/) !== undefined);
      terms.push(mul(...factors));
    } while (this.take(/\+/) !== undefined);
    return add(...terms);
  }

  #factor(): Dim {
    if (this.sees(/-?\d/)) return this.number();
    const name = this.name('a dim');
    if (isDimFunction(name) && this.take(/\(/) !== undefined)
      return apply(
        name,
        this.list(/\)/, () => this.dim()),
      );
    let found = this.#symbols.get(name);
    if (found === undefined) {
      found = symbol(name);
      this.#symbols.set(name, found);
    }
    return found;
  }

  expr(): Expr {
    const operand = this.take(/\$\d+/);
    if (operand !== undefined) return { kind: 'in', index: Number(operand.slice(1)) };
    const value = this.take(/(-?(\d+(\.\d+)?(e[+-]?\d+)?|Infinity)|NaN)(?=:)/);
    if (value !== undefined) {
      this.need(/:/, '":"');
      const type = this.dtype();
      return constant(/^[iu]64$/.test(type) ? BigInt(value) : Number(value), type);
    }
    const fn = this.name('an expression');
    const keepsRange = this.take(/!/) === undefined;
    this.need(/\(/, '"("');
    const args = this.list(/\)/, () => this.expr());
    if (isDType(fn) && args.length === 1) return cast(fn, args[0]!, keepsRange);
    return isScalarFunction(fn) ? call(fn, ...args) : this.fail('a scalar function');
  }

  dtype(): DType {
    const name = this.name('an element type');
    return isDType(name) ? name : this.fail('an element type');
  }

  type(): ValueType {
    if (this.take(/opaque</) !== undefined) return { kind: 'opaque', text: this.#untilClosed() };
    const dtype = this.dtype();
    this.need(/\[/, '"["');
    return { kind: 'tensor', dtype, shape: this.list(/\]/, () => this.dim()) };
  }

  /** The text up to the ">" that closes a "<" just read. */
  #untilClosed(): string {
    const start = this.#at;
    for (let depth = 1; this.#at < this.text.length; this.#at++) {
      const c = this.text[this.#at];
      if (c === '<') depth++;
      if (c === '>' && --depth === 0) return this.text.slice(start, this.#at++);
    }
    return this.fail('">"');
  }
}
