import { bareSymbol, type Dim, symbolsOf } from '../../src/ir/dim.js';
import {
  type Binding,
  describe,
  dtypeOf,
  inputValue,
  type Origin,
  shapeOf,
  type Value,
} from '../../src/ir/graph.js';
import { showType, type TensorType } from '../../src/ir/type.js';
import type { AtenConverter } from '../../src/ops/aten/aten-node.js';
import { dims } from '../../src/ops/constant.js';
import type { Content } from '../../src/ops/content.js';
import { shapeOfValue } from '../../src/ops/shape.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Json } from '../pt2/json.js';
import { ProgramAtenNode, resultNames } from './aten-node.js';
import type { Builder } from './builder.js';
import type { Decompositions } from './decompositions.js';
import { fieldsOf, metaOf, namesIn, type ProgramGraph, type ProgramNode, textOf, unionOf } from './schema.js';
import { type Sizes, sizeIn } from './sizes.js';
import { isView, isViewOf, writtenThrough } from './views.js';

/** What all graphs of one import share. */
export interface Shared {
  readonly converters: ReadonlyMap<string, AtenConverter>;
  readonly builder: Builder;
  /** Nodes that no converter takes, found so far. */
  readonly problems: string[];
  readonly decompositions: Decompositions;
}

/** How a tensor shares memory with another: it is the other, it is made by a node, or nobody knows how. */
interface View {
  readonly base: string;
  readonly node: ProgramNode | 'same' | 'unknown';
  readonly results: readonly string[];
}

/** The values of one graph of a program, by name, while it is imported. */
export class Region {
  readonly bindings: Map<string, Binding>;
  readonly #values = new Map<string, Value>();
  readonly #views = new Map<string, View>();
  readonly #declared = new Map<string, Json>();
  /** Tensors that changed in a way that nobody knows. */
  readonly #stale = new Map<string, CompileError>();
  /** Names of symbols that inputs bind. */
  readonly #bound: Set<string>;
  #read: ReadonlySet<string> | undefined;

  constructor(
    readonly shared: Shared,
    readonly graph: ProgramGraph,
    readonly sizes: Sizes,
    private readonly outer: string,
    /** The region that a graph stands in when it is no graph of its own: they have one set of symbols. */
    host?: Region,
  ) {
    this.bindings = host?.bindings ?? new Map();
    this.#bound = host === undefined ? new Set() : host.#bound;
  }

  define(name: string, v: Value): void {
    this.#values.set(name, v);
  }

  entries(): Iterable<readonly [name: string, v: Value]> {
    return this.#values;
  }

  /** Declares a value that the program does not have, and that something reads. */
  declare(name: string, meta: Json): void {
    this.#declared.set(name, meta);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  value(name: string): Value {
    const stale = this.#stale.get(name);
    if (stale) throw stale;
    const v = this.#values.get(name);
    if (v) return v;
    throw new CompileError('unknown-value', `nothing computes the value "${name}"`);
  }

  size = (name: string): Dim => sizeIn(this.sizes, this.graph.syms, name);

  /** What the program says of a tensor. */
  meta(name: string): Json | undefined {
    return this.#declared.get(name) ?? this.graph.tensors[name];
  }

  type(name: string): TensorType {
    const meta = this.meta(name);
    if (meta === undefined) throw new CompileError('bad-program', `the value "${name}" is not declared`);
    return this.sizes.type(meta, `the value "${name}"`);
  }

  /** Whether any node reads a value, or it is a result. */
  isRead(name: string): boolean {
    this.#read ??= new Set(
      [...this.graph.nodes.flatMap((n) => n.inputs.map((a) => a.arg)), ...this.graph.outputs].flatMap((a) =>
        namesIn([a]),
      ),
    );
    return this.#read.has(name) || this.#declared.has(name);
  }

  content(v: Value): Content | undefined {
    return this.shared.builder.content(v);
  }

  /** The symbols that extents of this input are. */
  bindInput(v: Value): void {
    for (const d of shapeOf(v)) {
      const key = bareSymbol(d);
      if (key !== undefined) this.#bound.add(key);
    }
  }

  bind(extent: Dim, value: Value, element: number): void {
    const key = bareSymbol(extent);
    if (key === undefined) {
      if (typeof extent === 'number') return;
      throw new CompileError(
        'unsupported-form',
        `an extent that only the run knows is the expression ${extent.key}`,
      );
    }
    if (!this.bindings.has(key) && !this.#bound.has(key)) this.bindings.set(key, { value, element });
  }

  originOf(node: ProgramNode): Origin {
    const target = node.target.replace(/^torch\.ops\./, '');
    const name = this.outer === '' ? node.name : `${this.outer}/${node.name}`;
    return { format: 'fx', name, opType: target, ...(node.path === '' ? {} : { path: node.path }) };
  }

  /** Binds every symbol of a result that nothing has bound: its extents are read when it is there. */
  settle(v: Value, origin: Origin): void {
    if (v.type.kind === 'opaque') return;
    const { shape } = v.type;
    const open = shape.some((d) =>
      [...symbolsOf(d).keys()].some((k) => !this.#bound.has(k) && !this.bindings.has(k)),
    );
    if (!open) return;
    const extents = this.shared.builder.build(origin)(shapeOfValue, [v], { start: 0, end: shape.length });
    shape.forEach((d, axis) => {
      if (bareSymbol(d) !== undefined) this.bind(d, extents, axis);
    });
  }

  /** Converts one ATen node; `target` is its overload, such as `add.Tensor`. */
  convert(node: ProgramNode, target: string): void {
    const [base = '', overload = ''] = target.split('.');
    const inPlace = /[a-zA-Z0-9]_$/.test(base);
    const functional = inPlace ? `${base.slice(0, -1)}.${overload}` : target;
    const results = resultNames(node.outputs);
    const origin = this.originOf(node);
    CompileError.within(`in ${describe(origin)}`, () => {
      const values = this.#run(node, functional, results, origin);
      const self = node.inputs.find((a) => a.name === 'self') ?? node.inputs[0];
      const source = self && tensorName(self.arg);
      if (inPlace && source !== undefined) {
        const [name] = results;
        this.mutate(source, values[0]!, origin);
        if (name !== undefined) {
          this.share(name, source, true);
          this.define(name, this.value(source));
        }
        return;
      }
      results.forEach((name, i) => {
        if (name !== undefined && values[i]) this.define(name, values[i]);
      });
      const named = results.filter((r) => r !== undefined);
      const sharing =
        source !== undefined && isView(functional) ? this.#shares(node, source, functional, named) : 'no';
      if (source !== undefined && sharing !== 'no')
        for (const name of named)
          this.#views.set(name, { base: source, node: sharing === 'yes' ? node : 'unknown', results: named });
    });
  }

  /** A change of type copies; so do `contiguous` and `reshape` of what does not lie as they need it. */
  #shares(
    node: ProgramNode,
    source: string,
    target: string,
    results: readonly string[],
  ): 'yes' | 'no' | 'unknown' {
    if (!/^(to|_to_copy|contiguous|reshape|flatten)\./.test(target)) return 'yes';
    const [from, to] = [this.graph.tensors[source], this.graph.tensors[results[0]!]];
    if (from === undefined || to === undefined) return 'unknown';
    const [before, after] = [metaOf(from, source), metaOf(to, results[0]!)];
    if (before.dtype !== after.dtype || target.startsWith('_to_copy')) return 'no';
    if (target.startsWith('to.'))
      return node.inputs.some((a) => a.name === 'copy' && JSON.stringify(a.arg) === '{"as_bool":true}')
        ? 'no'
        : 'yes';
    if (!target.startsWith('contiguous')) return isViewOf(before, after.sizes);
    if (before.strides.length !== before.sizes.length) return 'unknown';
    return JSON.stringify(before.strides) === JSON.stringify(after.strides) ? 'yes' : 'no';
  }

  #run(
    node: ProgramNode,
    target: string,
    results: readonly (string | undefined)[],
    origin: Origin,
  ): readonly Value[] {
    const n = this.#nodeOf(node, target, results, origin);
    const build = this.shared.builder.build(origin);
    const converter = this.shared.converters.get(target.replace(/\.default$/, ''))!;
    const values = sensibly(() => [converter(n, build)].flat() as readonly Value[]);
    results.forEach((name, i) => {
      const v = values[i];
      if (name === undefined) return;
      if (v) this.#check(name, v);
      else if (this.isRead(name))
        throw new CompileError('unsupported-form', `${node.target}: result ${i} is not computed here`);
    });
    return values;
  }

  #nodeOf(
    node: ProgramNode,
    target: string,
    results: readonly (string | undefined)[],
    origin: Origin,
  ): ProgramAtenNode {
    return new ProgramAtenNode(
      node,
      target,
      origin,
      this,
      results.map((r) => r ?? ''),
    );
  }

  /** What a converter makes must be what the program declares: a wrong result is worse than none. */
  #check(name: string, v: Value): void {
    const declared = this.type(name);
    const shape = shapeOf(v);
    const differs = (a: Dim, b: Dim | undefined): boolean =>
      typeof a === 'number' && typeof b === 'number' && a !== b;
    if (
      dtypeOf(v) !== declared.dtype ||
      shape.length !== declared.shape.length ||
      shape.some((d, i) => differs(d, declared.shape[i]))
    )
      throw new CompileError(
        'type-mismatch',
        `the result "${name}" came out as ${showType(v.type)} where the program declares ${showType(declared)}`,
      );
  }

  /** Notes that a tensor is the same memory as another, or some view of it. */
  share(name: string, base: string, same: boolean): void {
    this.#views.set(name, { base, node: same ? 'same' : 'unknown', results: [name] });
  }

  /** The tensor whose memory a tensor shares in the end, and whether it is just that. */
  rootOf(name: string): { readonly root: string; readonly exact: boolean } {
    let root = name;
    let exact = true;
    for (let view = this.#views.get(root); view; view = this.#views.get(root)) {
      exact &&= view.node === 'same';
      root = view.base;
    }
    return { root, exact };
  }

  /** Gives a tensor new elements, and whatever shares memory with it. */
  mutate(name: string, v: Value, origin: Origin): void {
    // Dropout that is not training, and the like.
    if (v === this.value(name)) return;
    const b = this.shared.builder.build(origin);
    let [at, update] = [name, v];
    for (let view = this.#views.get(at); view; view = this.#views.get(at)) {
      const base = this.value(view.base);
      const { node } = view;
      if (node === 'unknown') throw this.#entangled(name, view.base);
      if (node !== 'same') {
        const target = node.target.replace(/^torch\.ops\.aten\./, '');
        const written = writtenThrough(
          this.#nodeOf(node, target, view.results, origin),
          base,
          update,
          view.results.indexOf(at),
          b,
        );
        if (!written)
          throw new CompileError(
            'unsupported-form',
            `"${name}" is changed in place and shares memory with "${view.base}" through ${node.target}`,
            'write the module without this in-place operation, or call .clone() first',
          );
        update = written;
      }
      at = view.base;
    }
    this.define(at, update);
    const changed = new Set([at]);
    for (const [shown, view] of this.#views) {
      if (!changed.has(view.base)) continue;
      changed.add(shown);
      if (view.node === 'unknown') this.#stale.set(shown, this.#entangled(shown, view.base));
      else if (view.node === 'same') this.define(shown, this.value(view.base));
      else {
        const target = view.node.target.replace(/^torch\.ops\.aten\./, '');
        const again = this.#run(view.node, target, view.results, this.originOf(view.node));
        this.define(shown, again[view.results.indexOf(shown)]!);
      }
    }
  }

  #entangled(name: string, base: string): CompileError {
    return new CompileError(
      'unsupported-form',
      `"${name}" may share memory with "${base}", and one of them is changed in place`,
      'write the module without this in-place operation, or call .clone() first',
    );
  }

  /** Stands in for results that could not be computed, so that one attempt finds all that is missing. */
  placeholder(node: ProgramNode): void {
    for (const name of resultNames(node.outputs))
      if (name !== undefined) this.define(name, inputValue(name, this.type(name)));
  }

  /** The value of an argument that is a tensor, or a size as a tensor. */
  operand(arg: Json, origin: Origin): Value | undefined {
    const [form, value] = unionOf(arg, 'an argument');
    if (form === 'as_tensor') return this.value(textOf(fieldsOf(value, 'an argument').name, 'an argument'));
    const d = this.sizeArgument(form, value);
    if (d === undefined) return undefined;
    const dtype = form.includes('bool') ? 'bool' : 'i64';
    return this.shared.builder.build(origin)(dims, [], { dims: [d], dtype, shape: [] });
  }

  sizeArgument(form: string, value: Json): Dim | undefined {
    if (form === 'as_int' && typeof value === 'number') return value;
    if (form === 'as_bool') return value === true ? 1 : 0;
    if (form !== 'as_sym_int' && form !== 'as_sym_bool') return undefined;
    const [inner, name] = unionOf(value, 'a size');
    if (inner === 'as_name') return this.size(textOf(name, 'a size'));
    return typeof name === 'number' ? name : name === true ? 1 : 0;
  }
}

/** Converters take what PyTorch writes; arguments that it never writes may make no sense to them at all. */
function sensibly<T>(convert: () => T): T {
  try {
    return convert();
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    const e = new CompileError('bad-node', `its arguments do not go together (${cause.message})`);
    e.stack = cause.stack ?? '';
    throw e;
  }
}

export const tensorName = (arg: Json): string | undefined => {
  const [form, value] = unionOf(arg, 'an argument');
  return form === 'as_tensor' ? textOf(fieldsOf(value, 'an argument').name, 'an argument') : undefined;
};
