import * as D from '../../src/ir/dim.js';
import { CompileError } from '../../src/support/diagnostic.js';

/** An expression of sizes as PyTorch writes it: sympy's `srepr`, or infix text in old files. */
type Tree =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'call'; readonly head: string; readonly args: readonly Tree[] };

export class UnknownExpression extends CompileError {
  constructor(what: string) {
    super('unknown-size-expression', `the size expression ${what} is not known`);
  }
}

const token =
  /\s*(?:(\d+(?:\.\d*)?(?:e[-+]?\d+)?)|([A-Za-z_]\w*)|'((?:[^'\\]|\\.)*)'|(\*\*|\/\/|[-+*/%(),=]))/y;

type Token =
  | { readonly kind: 'number' | 'name' | 'text' | 'sign'; readonly text: string }
  | { readonly kind: 'end'; readonly text: '' };

const longest = 20_000;

function tokensOf(text: string): readonly Token[] {
  if (text.length > longest) throw new UnknownExpression(`of ${text.length} characters`);
  const tokens: Token[] = [];
  token.lastIndex = 0;
  const end = text.trimEnd().length;
  while (token.lastIndex < end) {
    const at = token.lastIndex;
    const found = token.exec(text);
    if (!found)
      throw new UnknownExpression(`"${text.slice(0, 80)}", which has no meaning from character ${at} on,`);
    const [, number, name, quoted, sign] = found;
    if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted });
    else tokens.push({ kind: 'sign', text: sign! });
  }
  return tokens;
}

const binary: readonly (readonly string[])[] = [
  ['+', '-'],
  ['*', '/', '//', '%'],
];
const heads: Readonly<Record<string, string>> = {
  '+': 'Add',
  '-': 'Sub',
  '*': 'Mul',
  '/': 'IntTrueDiv',
  '//': 'FloorDiv',
  '%': 'Mod',
};

class Parser {
  #at = 0;
  #depth = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly text: string,
  ) {}

  whole(): Tree {
    const tree = this.#level(0);
    if (this.#peek().kind !== 'end') throw this.#wrong();
    return tree;
  }

  #peek(): Token {
    return this.tokens[this.#at] ?? { kind: 'end', text: '' };
  }

  #take(text: string): boolean {
    const is = this.#peek().kind === 'sign' && this.#peek().text === text;
    if (is) this.#at++;
    return is;
  }

  #wrong(): UnknownExpression {
    return new UnknownExpression(`"${this.text.slice(0, 120)}"`);
  }

  #level(level: number): Tree {
    const signs = binary[level];
    if (!signs) return this.#power();
    if (++this.#depth > 400) throw this.#wrong();
    let left = this.#level(level + 1);
    for (;;) {
      const sign = this.#peek().kind === 'sign' ? signs.find((s) => s === this.#peek().text) : undefined;
      if (sign === undefined) break;
      this.#at++;
      left = { kind: 'call', head: heads[sign]!, args: [left, this.#level(level + 1)] };
    }
    this.#depth--;
    return left;
  }

  #power(): Tree {
    if (this.#take('-'))
      return { kind: 'call', head: 'Mul', args: [{ kind: 'number', value: -1 }, this.#power()] };
    const base = this.#atom();
    return this.#take('**') ? { kind: 'call', head: 'Pow', args: [base, this.#power()] } : base;
  }

  #atom(): Tree {
    const t = this.#peek();
    this.#at++;
    if (t.kind === 'number') return { kind: 'number', value: Number(t.text) };
    if (t.kind === 'text') return { kind: 'name', name: t.text };
    if (t.kind === 'sign' && t.text === '(') {
      const inner = this.#level(0);
      if (!this.#take(')')) throw this.#wrong();
      return inner;
    }
    if (t.kind !== 'name') throw this.#wrong();
    if (!this.#take('(')) return { kind: 'name', name: t.text };
    const args: Tree[] = [];
    while (!this.#take(')')) {
      if (args.length > 0 && !this.#take(',')) throw this.#wrong();
      // Assumptions such as `integer=True` do not change what is computed.
      const next = this.tokens[this.#at + 1];
      if (this.#peek().kind === 'name' && next?.kind === 'sign' && next.text === '=') {
        this.#at += 2;
        this.#level(0);
      } else args.push(this.#level(0));
    }
    return { kind: 'call', head: t.text, args };
  }
}

/** A size expression as a dim; `symbolOf` gives the dim that a symbol stands for. */
export function parseDim(text: string, symbolOf: (name: string) => D.Dim): D.Dim {
  try {
    return evaluate(new Parser(tokensOf(text), text).whole(), symbolOf);
  } catch (e) {
    // The stack of calls is as deep as the expression.
    if (e instanceof RangeError) throw new UnknownExpression(`"${text.slice(0, 120)}"`);
    throw e;
  }
}

type Operation = (...args: readonly D.Dim[]) => D.Dim;

const not = (a: D.Dim): D.Dim => D.sub(1, a);
const less: Operation = (a, b) => D.lt(a!, b!);
const fold =
  (f: (a: D.Dim, b: D.Dim) => D.Dim): Operation =>
  (...args) =>
    args.reduce(f);

const operations: Readonly<Record<string, Operation>> = {
  Add: (...args) => D.add(...args),
  Sub: (a, b) => D.sub(a!, b!),
  Mul: (...args) => D.mul(...args),
  Max: fold(D.max),
  Min: fold(D.min),
  FloorDiv: (a, b) => D.floordiv(a!, b!),
  CleanDiv: (a, b) => D.floordiv(a!, b!),
  CeilDiv: (a, b) => D.ceildiv(a!, b!),
  Mod: (a, b) => D.mod(a!, b!),
  PythonMod: (a, b) => D.mod(a!, b!),
  ModularIndexing: (a, b, c) => D.mod(D.floordiv(a!, b!), c!),
  LShift: (a, b) => shifted(a!, b!, D.mul),
  RShift: (a, b) => shifted(a!, b!, D.floordiv),
  Identity: (a) => a!,
  Eq: (a, b) => D.eq(a!, b!),
  Equality: (a, b) => D.eq(a!, b!),
  Ne: (a, b) => not(D.eq(a!, b!)),
  Unequality: (a, b) => not(D.eq(a!, b!)),
  StrictLessThan: less,
  StrictGreaterThan: (a, b) => D.lt(b!, a!),
  LessThan: (a, b) => not(D.lt(b!, a!)),
  GreaterThan: (a, b) => not(D.lt(a!, b!)),
  And: (...args) => D.mul(...args),
  Or: fold(D.max),
  Not: (a) => not(a!),
  Where: (c, a, b) => D.select(c!, a!, b!),
};

function shifted(a: D.Dim, by: D.Dim, f: (a: D.Dim, b: D.Dim) => D.Dim): D.Dim {
  if (typeof by !== 'number' || by < 0 || by > 50) throw new UnknownExpression('with a shift');
  return f(a, 2 ** by);
}

/** A quotient of whole numbers: what rounds it comes from around it. */
interface Quotient {
  readonly over: D.Dim;
  readonly under: D.Dim;
}

const roundings: Readonly<Record<string, (q: Quotient) => D.Dim>> = {
  FloorToInt: ({ over, under }) => D.floordiv(over, under),
  TruncToInt: ({ over, under }) => {
    if (D.bounds(over)[0] < 0 || D.bounds(under)[0] <= 0) throw new UnknownExpression('with a truncation');
    return D.floordiv(over, under);
  },
  CeilToInt: ({ over, under }) => D.ceildiv(over, under),
};

function evaluate(tree: Tree, symbolOf: (name: string) => D.Dim): D.Dim {
  if (tree.kind === 'number') return whole(tree.value);
  if (tree.kind === 'name') {
    if (/^(true|BooleanTrue|True)$/.test(tree.name)) return 1;
    if (/^(false|BooleanFalse|False)$/.test(tree.name)) return 0;
    return symbolOf(tree.name);
  }
  const { head, args } = tree;
  const [first, second] = args;
  const value = (t: Tree): D.Dim => evaluate(t, symbolOf);
  if (head === 'Symbol' && first?.kind === 'name') return symbolOf(first.name);
  if (head === 'Integer' && args.length === 1) return value(first!);
  if (head === 'Pow' && second) {
    const exponent = value(second);
    if (typeof exponent !== 'number' || exponent < 0 || exponent > 16)
      throw new UnknownExpression('with a power');
    return D.mul(...Array.from({ length: exponent }, () => value(first!)));
  }
  if (head === 'PowByNatural') return value({ ...tree, head: 'Pow' });
  const rounding = roundings[head];
  if (rounding && first) return rounding(quotient(first, symbolOf));
  const operation = operations[head];
  if (!operation || args.length === 0) throw new UnknownExpression(`"${head}"`);
  return operation(...args.map(value));
}

/** An expression that need not be whole, as a fraction. */
function quotient(tree: Tree, symbolOf: (name: string) => D.Dim): Quotient {
  if (tree.kind === 'call') {
    const { head, args } = tree;
    const of = (t: Tree): Quotient => quotient(t, symbolOf);
    if (head === 'ToFloat') return of(args[0]!);
    if (head === 'IntTrueDiv' || head === 'FloatTrueDiv' || head === 'Rational') {
      const [a, b] = [of(args[0]!), of(args[1]!)];
      return { over: D.mul(a.over, b.under), under: D.mul(a.under, b.over) };
    }
    if (head === 'Float' && args[0]) {
      const text = args[0].kind === 'name' ? args[0].name : '';
      return fraction(args[0].kind === 'number' ? args[0].value : Number(text));
    }
    if (head === 'Mul')
      return args.map(of).reduce((a, b) => ({ over: D.mul(a.over, b.over), under: D.mul(a.under, b.under) }));
    if (head === 'Add')
      return args.map(of).reduce((a, b) => ({
        over: D.add(D.mul(a.over, b.under), D.mul(b.over, a.under)),
        under: D.mul(a.under, b.under),
      }));
  }
  return { over: evaluate(tree, symbolOf), under: 1 };
}

/**
 * A float as a fraction, when its denominator is a small power of two, or small and multiples of it come out whole in
 * floating point too: in all other places the two are too far from whole numbers to differ when they are rounded.
 */
function fraction(x: number): Quotient {
  for (let under = 1; under <= 2 ** 16; under *= 2)
    if (Number.isSafeInteger(x * under)) return { over: x * under, under };
  for (let under = 3; under <= 1000; under++) {
    const over = Math.round(x * under);
    if (over / under === x && staysWhole(x, over, under)) return { over, under };
  }
  throw new UnknownExpression(`with the factor ${x}`);
}

const largestExtent = 2 ** 20;

function staysWhole(x: number, over: number, under: number): boolean {
  for (let k = 1; k * under <= largestExtent; k++) if (x * (k * under) !== k * over) return false;
  return true;
}

function whole(x: number): number {
  if (Number.isSafeInteger(x)) return x;
  // Stands for "no limit": an exact value would be lost, and none is meant.
  if (x > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  throw new UnknownExpression(`with the number ${x}`);
}
