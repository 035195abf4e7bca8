import { CompileError } from '../support/diagnostic.js';

/** A tensor extent: a known integer, or a polynomial over named symbols and integer functions of them. */
export type Dim = number | Poly;
export type Shape = readonly Dim[];

/** Always in normal form, so `key` is its identity: equal dims have equal keys. */
export interface Poly {
  readonly kind: 'poly';
  readonly key: string;
  readonly terms: readonly Term[];
}

export interface Term {
  readonly coef: number;
  readonly atoms: readonly Atom[];
}

export interface Symbol {
  readonly kind: 'symbol';
  readonly key: string;
  readonly min: number;
  readonly max: number;
}

/** floordiv rounds down and mod has the divisor's sign; lt and eq are 0 or 1; select(c, a, b) is c ? a : b. */
export type DimFunction = 'floordiv' | 'mod' | 'min' | 'max' | 'lt' | 'eq' | 'select';

export interface Call {
  readonly kind: 'call';
  readonly key: string;
  readonly fn: DimFunction;
  readonly args: readonly Dim[];
}

export type Atom = Symbol | Call;

/** A named extent within [min, max]; `max` may be Infinity. */
export const symbol = (name: string, min = 0, max = Number.POSITIVE_INFINITY): Dim =>
  min === max ? min : normal([{ coef: 1, atoms: [{ kind: 'symbol', key: name, min, max }] }]);

export const isStatic = (shape: Shape): shape is readonly number[] =>
  shape.every((d) => typeof d === 'number');

export function add(...dims: readonly Dim[]): Dim {
  if (isStatic(dims)) return dims.reduce((a, b) => a + b, 0);
  return normal(dims.flatMap(termsOf));
}

export const sub = (a: Dim, b: Dim): Dim => add(a, mul(-1, b));

/** No model has products of extents with as many terms; the files of those who want to exhaust us do. */
const mostTerms = 2 ** 14;

export function mul(...dims: readonly Dim[]): Dim {
  if (isStatic(dims)) return dims.reduce((a, b) => a * b, 1);
  return normal(
    dims.map(termsOf).reduce((xs, ys) => {
      if (xs.length * ys.length > mostTerms)
        throw new CompileError('bad-extent', `an extent is a sum of more than ${mostTerms} products`);
      return xs.flatMap((x) => ys.map((y) => ({ coef: x.coef * y.coef, atoms: [...x.atoms, ...y.atoms] })));
    }, termsOf(1)),
  );
}

const evaluators: Readonly<Record<DimFunction, (a: number, b: number, c: number) => number>> = {
  floordiv: (a, b) => (b === 0 ? 0 : Math.floor(a / b)),
  mod: (a, b) => (b === 0 ? 0 : a - b * Math.floor(a / b)),
  min: Math.min,
  max: Math.max,
  lt: (a, b) => (a < b ? 1 : 0),
  eq: (a, b) => (a === b ? 1 : 0),
  select: (c, a, b) => (c !== 0 ? a : b),
};

function call(fn: DimFunction, ...args: readonly Dim[]): Dim {
  if (isStatic(args)) return evaluators[fn](args[0]!, args[1]!, args[2] ?? 0);
  const key = `${fn}(${args.map(show).join(',')})`;
  return normal([{ coef: 1, atoms: [{ kind: 'call', key, fn, args }] }]);
}

/** a / b rounded down; cancels common factors, so floordiv(6*B, 2*B) is 3. */
export function floordiv(a: Dim, b: Dim): Dim {
  if (same(b, 1)) return a;
  return exactQuotient(a, b) ?? (typeof b === 'number' && b > 0 ? floordivBy(a, b) : call('floordiv', a, b));
}

/** Whole multiples of the divisor come out, and a quotient of a quotient is one. */
function floordivBy(a: Dim, b: number): Dim {
  const whole: Term[] = [];
  const rest: Term[] = [];
  for (const { coef, atoms } of termsOf(a)) {
    // What is left of the constant lies in [0, b), so that equal quotients look equal.
    const times = atoms.length === 0 ? Math.floor(coef / b) : coef % b === 0 ? coef / b : 0;
    if (times !== 0) whole.push({ coef: times, atoms });
    if (coef !== times * b) rest.push({ coef: coef - times * b, atoms });
  }
  const left = normal(rest);
  const [lo, hi] = bounds(left).map((x) => Math.floor(x / b));
  if (lo === hi && Number.isFinite(lo)) return add(normal(whole), lo!);
  const constant = rest.find((t) => t.atoms.length === 0)?.coef ?? 0;
  const [only, more] = rest.filter((t) => t.atoms.length > 0);
  const atom = only?.atoms[0];
  if (
    !more &&
    only?.coef === 1 &&
    only.atoms.length === 1 &&
    atom?.kind === 'call' &&
    atom.fn === 'floordiv'
  ) {
    const [x, y] = [atom.args[0]!, atom.args[1]!];
    if (typeof y === 'number' && y > 0) return add(normal(whole), floordiv(add(x, constant * y), y * b));
  }
  return add(normal(whole), call('floordiv', left, b));
}

export const ceildiv = (a: Dim, b: Dim): Dim => floordiv(add(a, b, -1), b);

export function mod(a: Dim, b: Dim): Dim {
  return exactQuotient(a, b) === undefined ? call('mod', a, b) : 0;
}

export function min(a: Dim, b: Dim): Dim {
  if (bounds(sub(b, a))[0] >= 0) return a;
  if (bounds(sub(a, b))[0] >= 0) return b;
  return call('min', a, b);
}

export function max(a: Dim, b: Dim): Dim {
  if (bounds(sub(b, a))[0] >= 0) return b;
  if (bounds(sub(a, b))[0] >= 0) return a;
  return call('max', a, b);
}

export function lt(a: Dim, b: Dim): Dim {
  const [lo, hi] = bounds(sub(b, a));
  return lo > 0 ? 1 : hi <= 0 ? 0 : call('lt', a, b);
}

export function eq(a: Dim, b: Dim): Dim {
  if (same(a, b)) return 1;
  const [lo, hi] = bounds(sub(a, b));
  return lo > 0 || hi < 0 ? 0 : call('eq', a, b);
}

export function select(condition: Dim, a: Dim, b: Dim): Dim {
  if (typeof condition === 'number') return condition !== 0 ? a : b;
  if (same(a, b)) return a;
  // Where the condition holds, `a` may be what `b` is then.
  const pinned = pinnedBy(condition);
  if (pinned && same(substitute(a, pinned), substitute(b, pinned))) return b;
  return call('select', condition, a, b);
}

/** The value a symbol has wherever a condition of the form eq(symbol, number) holds. */
function pinnedBy(condition: Poly): ReadonlyMap<string, number> | undefined {
  const atom = condition.terms[0]!.atoms[0];
  if (
    condition.terms.length !== 1 ||
    condition.terms[0]!.coef !== 1 ||
    condition.terms[0]!.atoms.length !== 1
  )
    return undefined;
  if (atom?.kind !== 'call' || atom.fn !== 'eq') return undefined;
  const [x, y] = [atom.args[0]!, atom.args[1]!];
  const name = bareSymbol(typeof x === 'number' ? y : x);
  const value = typeof x === 'number' ? x : y;
  return name !== undefined && typeof value === 'number' ? new Map([[name, value]]) : undefined;
}

/** The quotient when b divides every term of a, as polynomials; b must be a number or a single term. */
function exactQuotient(a: Dim, b: Dim): Dim | undefined {
  if (same(a, b) && !same(b, 0)) return 1;
  const [by, more] = termsOf(b);
  if (!by || more || by.coef === 0) return undefined;
  const out: Term[] = [];
  for (const term of termsOf(a)) {
    const atoms = [...term.atoms];
    for (const atom of by.atoms) {
      const at = atoms.findIndex((x) => x.key === atom.key);
      if (at < 0) return undefined;
      atoms.splice(at, 1);
    }
    if (term.coef % by.coef !== 0) return undefined;
    out.push({ coef: term.coef / by.coef, atoms });
  }
  return normal(out);
}

export const numel = (shape: Shape): Dim => mul(...shape);
export const show = (d: Dim): string => (typeof d === 'number' ? String(d) : d.key);
export const same = (a: Dim, b: Dim): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && a.key === b.key);
export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((d, i) => same(d, b[i]!));

const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

/** The smallest and largest value a dim can take, by interval arithmetic. */
export function bounds(d: Dim): readonly [number, number] {
  if (typeof d === 'number') return [d, d];
  let lo = 0;
  let hi = 0;
  for (const { coef, atoms } of d.terms) {
    let range: readonly [number, number] = [coef, coef];
    for (const atom of atoms) {
      const [c, e] = atomBounds(atom);
      const ends = [times(range[0], c), times(range[0], e), times(range[1], c), times(range[1], e)];
      range = [Math.min(...ends), Math.max(...ends)];
    }
    lo += range[0];
    hi += range[1];
  }
  return [lo, hi];
}

function atomBounds(atom: Atom): readonly [number, number] {
  if (atom.kind === 'symbol') return [atom.min, atom.max];
  const ranges = atom.args.map(bounds);
  const [a, b, c] = [ranges[0]!, ranges[1]!, ranges[2] ?? [0, 0]];
  switch (atom.fn) {
    case 'floordiv': {
      if (b[0] <= 0) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
      const ends = [a[0] / b[0], a[0] / b[1], a[1] / b[0], a[1] / b[1]].map((x) => (Number.isNaN(x) ? 0 : x));
      return [Math.floor(Math.min(...ends)), Math.floor(Math.max(...ends))];
    }
    case 'mod':
      return b[0] > 0 ? [0, b[1] - 1] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    case 'min':
      return [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
    case 'max':
      return [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
    case 'lt':
    case 'eq':
      return [0, 1];
    case 'select':
      return [Math.min(b[0], c[0]!), Math.max(b[1], c[1]!)];
    default:
      return atom.fn satisfies never;
  }
}

const termsOf = (d: Dim): readonly Term[] =>
  typeof d === 'number' ? (d === 0 ? [] : [{ coef: d, atoms: [] }]) : d.terms;

/** Collects like terms in a fixed order. Every Poly is made here. */
function normal(terms: readonly Term[]): Dim {
  const byKey = new Map<string, Term>();
  for (const t of terms) {
    const atoms = [...t.atoms].sort((a, b) => (a.key < b.key ? -1 : 1));
    const key = atoms.map((a) => a.key).join('*');
    byKey.set(key, { atoms, coef: (byKey.get(key)?.coef ?? 0) + t.coef });
  }
  const kept = [...byKey].filter(([, t]) => t.coef !== 0).sort(([a], [b]) => (a < b ? 1 : -1));
  if (kept.every(([key]) => key === '')) return kept[0]?.[1].coef ?? 0;
  const key = kept.map(([k, t]) => (k === '' ? t.coef : t.coef === 1 ? k : `${t.coef}*${k}`)).join('+');
  return Object.freeze({ kind: 'poly', key, terms: kept.map(([, t]) => t) });
}

/** Every symbol a dim mentions, nested calls included. */
export function symbolsOf(d: Dim, into = new Map<string, Symbol>()): Map<string, Symbol> {
  if (typeof d === 'number') return into;
  for (const { atoms } of d.terms)
    for (const atom of atoms) {
      if (atom.kind === 'symbol') into.set(atom.key, atom);
      else for (const arg of atom.args) symbolsOf(arg, into);
    }
  return into;
}

/** The symbol's key when a dim is exactly one symbol. */
export function bareSymbol(d: Dim): string | undefined {
  if (typeof d === 'number' || d.terms.length !== 1) return undefined;
  const { coef, atoms } = d.terms[0]!;
  return coef === 1 && atoms.length === 1 && atoms[0]!.kind === 'symbol' ? atoms[0]!.key : undefined;
}

/** Replaces symbols; a symbol the map lacks stays. */
export function substitute(d: Dim, values: ReadonlyMap<string, Dim>): Dim {
  if (typeof d === 'number') return d;
  return add(
    ...d.terms.map(({ coef, atoms }) =>
      mul(
        coef,
        ...atoms.map((atom): Dim => {
          if (atom.kind === 'symbol') return values.get(atom.key) ?? normal([{ coef: 1, atoms: [atom] }]);
          return apply(
            atom.fn,
            atom.args.map((arg) => substitute(arg, values)),
          );
        }),
      ),
    ),
  );
}

/** The simplifying constructor of each dim function. */
export function apply(fn: DimFunction, args: readonly Dim[]): Dim {
  const [a, b, c] = [args[0]!, args[1]!, args[2]!];
  switch (fn) {
    case 'floordiv':
      return floordiv(a, b);
    case 'mod':
      return mod(a, b);
    case 'min':
      return min(a, b);
    case 'max':
      return max(a, b);
    case 'lt':
      return lt(a, b);
    case 'eq':
      return eq(a, b);
    case 'select':
      return select(a, b, c);
    default:
      return fn satisfies never;
  }
}

/**
 * NumPy broadcasting, decided at run time where it must be: a symbol that meets a number other than 1
 * is taken to be 1 or that number; of two symbols the one that is not 1 counts. Two numbers that
 * neither agree nor are 1 have no result.
 */
export function broadcast(...shapes: readonly Shape[]): Shape | undefined {
  return shapes.reduce<Shape | undefined>((a, b) => a && broadcastTwo(a, b), []);
}

function broadcastTwo(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = rank; i >= 1; i--) {
    const d = broadcastDim(a[a.length - i] ?? 1, b[b.length - i] ?? 1);
    if (d === undefined) return undefined;
    out.push(d);
  }
  return out;
}

function broadcastDim(x: Dim, y: Dim): Dim | undefined {
  if (same(x, y) || y === 1) return x;
  if (x === 1) return y;
  if (typeof x === 'number') return typeof y === 'number' ? undefined : x;
  return typeof y === 'number' ? y : select(eq(x, 1), y, x);
}
