import {
  bareSymbol,
  bounds,
  type Dim,
  floordiv,
  type Shape,
  sub,
  symbol,
  symbolsOf,
} from '../../src/ir/dim.js';
import { type TensorType, tensor } from '../../src/ir/type.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { DimRange } from '../onnx/symbols.js';
import { integer, isObject } from '../pt2/json.js';
import { type Fields, metaOf, type Size, sizeOf } from './schema.js';
import { parseDim } from './srepr.js';

/** The symbols of a program's sizes, with the ranges the program was exported for. */
export class Sizes {
  readonly #symbols = new Map<string, Dim>();
  readonly #parsed = new Map<string, Dim>();
  readonly #outside = new Map<string, Dim>();
  readonly #asked = new Set<string>();

  constructor(
    private readonly constraints: Fields,
    private readonly given: ReadonlyMap<string, DimRange>,
    private readonly around?: { readonly sizes: Sizes; readonly prefix: string },
  ) {}

  /** Sizes of a closed graph: symbols of its own for those outside, numbers where they are numbers there. */
  inner(prefix: string): Sizes {
    return new Sizes(this.constraints, this.given, { sizes: this, prefix });
  }

  /** What a symbol of a closed graph is in the graph around it. */
  outside(key: string): Dim | undefined {
    return this.#outside.get(key);
  }

  /** The dim a size stands for. */
  dim(size: Size): Dim {
    if (typeof size === 'number') return size;
    let d = this.#parsed.get(size.expression);
    if (d === undefined) {
      d = parseDim(size.expression, (name) => this.symbol(name));
      this.#parsed.set(size.expression, d);
    }
    return d;
  }

  type(meta: Parameters<typeof metaOf>[0], where: string): TensorType {
    const { dtype, sizes } = metaOf(meta, where);
    return tensor(
      dtype,
      sizes.map((s) => this.dim(s)),
    );
  }

  symbol(name: string): Dim {
    let d = this.#symbols.get(name);
    if (d === undefined) {
      d = this.around ? this.#standIn(name, this.around) : this.#ranged(name);
      this.#symbols.set(name, d);
    }
    return d;
  }

  #ranged(name: string): Dim {
    const { min, max } = this.#range(name);
    return symbol(name, min, max);
  }

  #standIn(name: string, { sizes, prefix }: { readonly sizes: Sizes; readonly prefix: string }): Dim {
    const outer = sizes.symbol(name);
    if (typeof outer === 'number') return outer;
    const [min, max] = bounds(outer);
    this.#outside.set(prefix + name, outer);
    return symbol(prefix + name, Math.max(0, min), max);
  }

  /** Gives a symbol its size, or another name and with it the range that is given for that name. */
  rename(name: string, by: number | string): void {
    if (typeof by === 'number') {
      this.define(name, by);
      return;
    }
    const { min, max } = this.given.get(by) ?? this.#range(name);
    this.#asked.add(by);
    this.define(name, symbol(by, min, max));
  }

  /** The range that is given for a name that the program does not have. */
  rangeOf(name: string): DimRange | undefined {
    this.#asked.add(name);
    return this.given.get(name);
  }

  /** Whether anything has a name for which a range is given. */
  isUsed(name: string): boolean {
    return this.#asked.has(name);
  }

  /** Lets a symbol stand for something else from now on. */
  define(name: string, d: Dim): void {
    this.#symbols.set(name, d);
    this.#parsed.clear();
  }

  #range(name: string): DimRange {
    const given = this.given.get(name);
    this.#asked.add(name);
    if (given) return given;
    const constraint = this.constraints[name];
    const fields = isObject(constraint) ? constraint : {};
    const low = Number(integer(fields.min_val) ?? 0n);
    const high = integer(fields.max_val);
    const max = high === undefined || high > 2n ** 52n ? Number.POSITIVE_INFINITY : Number(high);
    // A lower bound of 2 says that 0 and 1 were not tried, not that they do not work.
    const unbacked = name.startsWith('u');
    return { min: low <= 2 && !unbacked ? Math.min(low, 1) : Math.max(low, unbacked ? 0 : low), max };
  }
}

export const sizeIn = (sizes: Sizes, syms: Fields, name: string): Dim => {
  const value = syms[name];
  if (value === undefined) throw new CompileError('bad-program', `the size "${name}" is not declared`);
  return sizes.dim(sizeOf(value, `the size "${name}"`));
};

/**
 * The extents of an input as the graph declares them: a symbol is bound by an extent that is exactly it, so an
 * extent that is an expression gets a name, and its symbol becomes an expression of that name.
 */
export function inputShapes(
  sizes: Sizes,
  inputs: readonly { readonly name: string; readonly shape: readonly Size[] }[],
  given: ReadonlyMap<string, readonly (number | string)[]>,
): ReadonlyMap<string, Shape> {
  for (const { name, shape } of inputs) {
    const own = given.get(name);
    if (own && own.length !== shape.length)
      throw new CompileError(
        'bad-shape',
        `the shape given for "${name}" has ${own.length} axes, not ${shape.length}`,
      );
    shape.forEach((s, axis) => {
      const asked = own?.[axis];
      if (asked === undefined) return;
      if (typeof s === 'number') {
        if (typeof asked === 'number' && asked !== s)
          throw new CompileError(
            'bad-shape',
            `axis ${axis} of the input "${name}" is ${s} in the model; it cannot be ${asked}`,
          );
        return;
      }
      const key = bareSymbol(sizes.dim(s));
      if (key !== undefined && sizes.symbol(key) !== asked) sizes.rename(key, asked);
    });
  }
  const bound = new Set<string>();
  for (const { shape } of inputs)
    for (const s of shape) {
      const key = bareSymbol(sizes.dim(s));
      if (key !== undefined) bound.add(key);
    }
  const shapes = new Map<string, Shape>();
  for (const { name, shape } of inputs)
    shapes.set(
      name,
      shape.map((s, axis) => {
        const d = sizes.dim(s);
        const free = [...symbolsOf(d).keys()].filter((k) => !bound.has(k));
        if (typeof d === 'number' || free.length === 0) return d;
        const solved =
          free.length === 1
            ? solve(d, free[0]!, `${name}_${axis}`, sizes.rangeOf(`${name}_${axis}`))
            : undefined;
        if (!solved)
          throw new CompileError(
            'unknown-size-expression',
            `axis ${axis} of the input "${name}" is ${d.key}, which no other input explains`,
          );
        sizes.define(free[0]!, solved.value);
        bound.add(bareSymbol(solved.extent) ?? '');
        return solved.extent;
      }),
    );
  return shapes;
}

/** Solves a * s + b = extent for s. */
function solve(
  d: Exclude<Dim, number>,
  key: string,
  name: string,
  range: DimRange | undefined,
): { extent: Dim; value: Dim } | undefined {
  const own = d.terms.filter((t) => t.atoms.length > 0);
  const [term] = own;
  const atom = term?.atoms[0];
  if (own.length !== 1 || term!.atoms.length !== 1 || atom?.kind !== 'symbol' || atom.key !== key)
    return undefined;
  const rest = d.terms.find((t) => t.atoms.length === 0)?.coef ?? 0;
  const { min, max } = range ?? {
    min: Math.max(0, term!.coef * atom.min + rest),
    max: term!.coef * atom.max + rest,
  };
  const extent = symbol(name, min, max);
  return { extent, value: floordiv(sub(extent, rest), term!.coef) };
}
