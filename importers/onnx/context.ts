import { bounds, type Dim, type Shape } from '../../src/ir/dim.js';
import { emit, is, type Node, type Origin, type Value } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { type DType, isInteger, type OpaqueType, tensor, type ValueType } from '../../src/ir/type.js';
import type { FunctionProto, Node as NodeProto } from '../../src/onnx/types.js';
import { constant, dims } from '../../src/ops/constant.js';
import { type Content, content, contentShape } from '../../src/ops/content.js';
import { type Build, type Converter, Declined, type OpDef } from '../../src/ops/op.js';
import { reshape } from '../../src/ops/reshape.js';
import { shapeOfValue } from '../../src/ops/shape.js';
import { checkExtents, constantValue, folded } from './folding.js';
import { Malformed } from './malformed.js';
import type { Region } from './scope.js';
import type { Symbols } from './symbols.js';
import type { AnsweredType, Answers, TypeQuestion } from './type-question.js';

/** A tensor type some of whose extents only its producer knows. */
export interface OpenType {
  readonly kind: 'open';
  readonly dtype: DType;
  readonly dims: readonly (Dim | undefined)[];
}

// Nested functions can multiply: a small file may otherwise ask for more nodes than memory holds.
const mostNodes = 2 ** 22;

// Branches of branches have copies of copies.
const mostCopies = 10_000;
const deepestCopies = 3;

// More axes than any tensor has.
const mostExtents = 64;

/** What one import knows wherever it is in the model. */
export class Context {
  readonly converters = new Map<string, Readonly<Record<number, Converter>>>();
  readonly #contents = new WeakMap<Value, Content>();
  readonly #bound = new WeakMap<Value, Map<number, Dim>>();
  readonly #functions = new Map<string, FunctionProto>();
  readonly #warned = new Set<string>();
  #heldBack: string[] | undefined;
  #copies = mostCopies;
  #copying = 0;
  #nodes = 0;

  constructor(
    operators: readonly OpDef[],
    functions: readonly FunctionProto[],
    readonly symbols: Symbols,
    readonly baseDir: string | undefined,
    private readonly report: (message: string) => void,
    private readonly answers: Answers | undefined,
    private readonly ask: ((question: TypeQuestion) => void) | undefined,
  ) {
    for (const op of operators)
      for (const [name, versions] of Object.entries(op.onnx)) {
        const known = this.converters.get(name);
        this.converters.set(name, known ? { ...known, ...versions } : versions);
      }
    for (const f of functions) {
      const key = functionKey(f.domain, f.name, f.overload);
      if (this.#functions.has(key))
        throw new Malformed(
          'duplicate-function',
          `the function "${f.name}" of "${f.domain}" is defined twice`,
        );
      this.#functions.set(key, f);
    }
  }

  functionOf(node: NodeProto): FunctionProto | undefined {
    return this.#functions.get(functionKey(node.domain, node.opType, node.overload));
  }

  countNode(): void {
    if (++this.#nodes > mostNodes)
      throw new Malformed(
        'model-too-large',
        `the model's functions unfold into more than ${mostNodes} nodes`,
      );
  }

  warn(message: string): void {
    if (this.#heldBack) this.#heldBack.push(message);
    else if (!this.#warned.has(message)) {
      this.#warned.add(message);
      this.report(message);
    }
  }

  /** Whether the branches of an If may get copies of this many nodes that depend on it. */
  mayCopy(count: number): boolean {
    const copies = 2 * count;
    if (this.#copying === deepestCopies || copies > this.#copies) return false;
    this.#copies -= copies;
    return true;
  }

  copying(f: () => void): void {
    this.#copying++;
    try {
      f();
    } finally {
      this.#copying--;
    }
  }

  /** Does something that may turn out not to count: its warnings are given only when they are released. */
  holdingBack<T>(attempt: () => T): { readonly result: T; release(): void } {
    const outer = this.#heldBack;
    const held: string[] = [];
    this.#heldBack = held;
    try {
      const release = (): void => {
        for (const message of held) this.warn(message);
      };
      return { result: attempt(), release };
    } finally {
      this.#heldBack = outer;
    }
  }

  /** Whether anybody answers questions about types. */
  get asks(): boolean {
    return this.ask !== undefined;
  }

  answer(question: TypeQuestion): readonly (AnsweredType | undefined)[] | undefined {
    const known = this.answers?.get(question.key);
    if (!known) this.ask?.(question);
    return known;
  }

  content(v: Value): Content | undefined {
    let known = this.#contents.get(v);
    if (!known && is(v.node, constant)) known = constant.evaluate?.([], v.node.attrs, []);
    if (!known && is(v.node, dims)) known = dims.evaluate?.([], v.node.attrs, []);
    if (known) this.#contents.set(v, known);
    return known;
  }

  /** The inner value has the elements of the outer one. */
  adopt(inner: Value, outer: Value): void {
    const known = this.content(outer);
    if (known) this.#contents.set(inner, known);
  }

  constant(value: Literal, origin: Origin): Value {
    return constantValue(value, origin);
  }

  /** Makes nodes, and replaces those whose elements are known by constants and dims. */
  builder(origin: Origin): Build {
    const all: Build['all'] = (op, inputs, attrs) => {
      const node = emit(op, inputs, attrs, origin) as unknown as Node;
      checkExtents(node);
      const known = folded(node, (v) => this.content(v));
      if (known && 'node' in known) return [known];
      if (known) this.#contents.set(node.outputs[0]!, known);
      return node.outputs;
    };
    const one: (...args: Parameters<Build['all']>) => Value = (op, inputs, attrs) =>
      all(op, inputs, attrs)[0]!;
    return Object.assign(one, { all }) as Build;
  }

  /** The elements of a small tensor; huge integers, which only ever mean "to the end", are cut to 2^53 - 1. */
  known(v: Value): readonly Dim[] | undefined {
    const known = this.content(v);
    if (known || !is(v.node, constant)) return known?.data;
    const { value } = v.node.attrs;
    if (!isInteger(value.dtype) || !contentShape(value.shape)) return undefined;
    const limit = Number.MAX_SAFE_INTEGER;
    return value.numbers().map((x) => Math.min(Math.max(x, -limit), limit));
  }

  /** The elements of an integer tensor, symbols where they are not known; undefined without a known size. */
  elements(v: Value, hint: string, region: Region): readonly Dim[] {
    const known = this.known(v);
    if (known) return known;
    if (v.type.kind === 'opaque') throw new Declined(`a shape comes from a value whose type is not known`);
    const { dtype, shape } = v.type;
    if (!isInteger(dtype)) throw new Declined(`a shape is given in ${dtype}`);
    const fixed = contentShape(shape);
    if (!fixed) throw new Declined('a shape has a length that is not known before the model runs');
    if (fixed.length > 1 || fixed[0]! > mostExtents)
      throw new Declined(`a shape is computed as a tensor of [${fixed.join(',')}] elements`);
    const data = Array.from({ length: fixed.reduce((a, b) => a * b, 1) }, (_, i) =>
      this.bind(v, i, `${hint}_${i}`, region, Number.NEGATIVE_INFINITY),
    );
    this.#contents.set(v, content(dtype, fixed, data));
    return data;
  }

  /** The symbol for an element of an integer tensor. */
  bind(
    v: Value,
    element: number,
    hint: string,
    region: Region,
    min = 0,
    max = Number.POSITIVE_INFINITY,
  ): Dim {
    let of = this.#bound.get(v);
    if (!of) {
      of = new Map();
      this.#bound.set(v, of);
    }
    let d = of.get(element);
    if (d === undefined) {
      d = this.symbols.fresh(hint, min, max);
      of.set(element, d);
      this.bindTo(d, v, element, region);
    }
    return d;
  }

  /**
   * The same value with each involved extent under a name of its own. Expressions of extents are polynomials
   * in normal form, which grow without bound when every operator builds on the last one's.
   */
  named(v: Value, origin: Origin, region: Region): Value {
    if (v.type.kind === 'opaque' || is(v.node, dims)) return v;
    const { shape } = v.type;
    const long = shape.filter((d) => typeof d === 'object' && d.key.length > longestExtent);
    if (long.length === 0) return v;
    const attrs = { dims: long, dtype: 'i64', shape: [long.length] } as const;
    const source = emit(dims, [], attrs, origin).outputs[0]!;
    const renamed = shape.map((d) => {
      const at = long.indexOf(d);
      if (at < 0) return d;
      const [lo, hi] = bounds(d);
      return this.bind(source, at, 'extent', region, Math.max(0, lo), hi);
    });
    return emit(reshape, [v], { shape: renamed }, origin).outputs[0]!;
  }

  private bindTo(d: Dim, value: Value, element: number, region: Region): void {
    if (typeof d === 'object') region.bindings.set(d.key, { value, element });
  }

  /** Makes a node some of whose results' extents are known only when it has run. */
  settle(
    types: readonly (OpenType | OpaqueType)[],
    hint: (i: number) => string,
    region: Region,
    make: (types: readonly ValueType[]) => readonly Value[],
    origin: Origin,
  ): readonly Value[] {
    const settled = types.map((t, i) =>
      t.kind === 'opaque' ? t : tensor(t.dtype, this.#closed(t.dims, hint(i))),
    );
    const values = make(settled);
    types.forEach((t, i) => {
      if (t.kind === 'opaque' || !t.dims.includes(undefined)) return;
      const attrs = { start: 0, end: t.dims.length };
      const extents = emit(shapeOfValue, [values[i]!], attrs, origin).outputs[0]!;
      const shape = (settled[i] as { shape: Shape }).shape;
      t.dims.forEach((d, axis) => {
        if (d === undefined) this.bindTo(shape[axis]!, extents, axis, region);
      });
      this.#contents.set(extents, content('i64', [shape.length], shape));
    });
    return values;
  }

  #closed(open: readonly (Dim | undefined)[], hint: string): Shape {
    return open.map((d, axis) => d ?? this.symbols.fresh(`${hint}_${axis}`));
  }
}

/** Characters of an extent's text above which it gets a name. */
const longestExtent = 48;

const functionKey = (domain: string, name: string, overload: string): string =>
  JSON.stringify([domain === 'ai.onnx' ? '' : domain, name, overload]);
