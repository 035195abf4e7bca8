import { CompileError } from '../support/diagnostic.js';
import { type Dim, type Poly, type Shape, symbolsOf } from './dim.js';
import type { Expr } from './expr.js';
import type { Literal } from './literal.js';
import type { DType, OpaqueType, TensorType, ValueType } from './type.js';

/** Where a node came from, in the user's own names. `path` is a module path where the format has one. */
export interface Origin {
  readonly format: 'onnx' | 'fx' | 'pass';
  readonly name: string;
  readonly opType?: string | undefined;
  readonly path?: string | undefined;
}

export type AttrValue =
  | undefined
  | number
  | bigint
  | string
  | boolean
  | Poly
  | Expr
  | Literal
  | Graph
  | ValueType
  | readonly AttrValue[]
  | { readonly [name: string]: AttrValue };
export type Attrs = { readonly [name: string]: AttrValue };

/** An operator. There is one Op object per operator; nodes are compared by `node.op === softmax`. */
export interface Op<A extends Attrs = Attrs> {
  readonly name: string;
  /** The types of the outputs. Throws a CompileError when the inputs do not fit. */
  infer(inputs: readonly TensorType[], attrs: A): readonly ValueType[];
  /** Takes values that are not tensors; `infer` must not take its inputs' types for those of tensors then. */
  readonly takesOpaque?: boolean;
  /** What `infer` took for granted of extents that are known only when a model runs. */
  requires?(inputs: readonly TensorType[], attrs: A, outputs: readonly TensorType[]): readonly Requirement[];
}

/** A dim that must be 1 when a model runs, and what is wrong when it is 0. */
export interface Requirement {
  readonly condition: Dim;
  readonly otherwise: string;
}

/** Nodes are frozen records. A pass never edits one; it builds another and lets the old one go. */
export interface Node<A extends Attrs = Attrs> {
  readonly op: Op<A>;
  readonly inputs: readonly Value[];
  readonly attrs: A;
  readonly outputs: readonly Value[];
  readonly origin: Origin;
}

/** One result of one node. Compared by identity. */
export interface Value {
  readonly node: Node;
  readonly index: number;
  readonly type: ValueType;
}

/** A value known to be a tensor. */
export interface TensorValue extends Value {
  readonly type: TensorType;
}

/** The run-time source of a symbol: one element of an integer tensor. */
export interface Binding {
  readonly value: Value;
  readonly element: number;
}

/**
 * A graph is its results: whatever they do not reach is dead, so there is no dead-code pass.
 * A symbol is bound by the extent of an input that is exactly that symbol, or by `bindings`.
 */
export interface Graph {
  readonly kind: 'graph';
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly outputNames: readonly string[];
  readonly bindings: ReadonlyMap<string, Binding>;
}

export const graph = (
  inputs: readonly Value[],
  outputs: readonly Value[],
  outputNames: readonly string[] = outputs.map((_, i) => `output_${i}`),
  bindings: ReadonlyMap<string, Binding> = new Map(),
): Graph => Object.freeze({ kind: 'graph', inputs, outputs, outputNames, bindings });

/** A graph input. Its name is the user's. */
export const input: Op<{ name: string; type: ValueType }> = Object.freeze({
  name: 'input',
  infer: (_: readonly TensorType[], { type }: { type: ValueType }) => [type],
});

export const inputValue = (name: string, type: ValueType, origin?: Origin): Value =>
  emit(input, [], { name, type }, origin ?? { format: 'onnx', name }).outputs[0]!;

export const inputName = (v: Value): string => (is(v.node, input) ? v.node.attrs.name : '');

/** The only way to make a node. Types are inferred here, so no untyped value ever exists. */
export function emit<A extends Attrs>(
  op: Op<A>,
  inputs: readonly Value[],
  attrs: A,
  origin: Origin,
): Node<A> {
  const types = CompileError.within(`in ${op.name}, from ${describe(origin)}`, () => {
    const opaque = inputs.findIndex((v) => v.type.kind === 'opaque');
    if (opaque >= 0 && !op.takesOpaque)
      throw new CompileError(
        'opaque-input',
        `input ${opaque} is ${(inputs[opaque]!.type as OpaqueType).text}`,
      );
    return op.infer(
      inputs.map((v) => v.type as TensorType),
      attrs,
    );
  });
  const outputs: Value[] = [];
  const node: Node<A> = { op, inputs, attrs, outputs, origin };
  types.forEach((type, index) => {
    outputs.push(Object.freeze({ node: node as unknown as Node, index, type }));
  });
  Object.freeze(outputs);
  return Object.freeze(node);
}

/** A node in the words of an error message. */
export const describe = ({ format, name, opType, path }: Origin): string =>
  `${format} node "${name}"${opType === undefined ? '' : ` (${opType})`}${path === undefined ? '' : `, module "${path}"`}`;

export const is = <A extends Attrs>(node: Node, op: Op<A>): node is Node<A> => (node.op as unknown) === op;

/** The shape of a value that must be a tensor. */
export const shapeOf = (v: Value): Shape => tensorOf(v).shape;
export const dtypeOf = (v: Value): DType => tensorOf(v).dtype;

export function tensorOf(v: Value): TensorType {
  if (v.type.kind === 'opaque')
    throw new CompileError('not-a-tensor', `a value of ${describe(v.node.origin)} is ${v.type.text}`);
  return v.type;
}

const mentioned = new WeakMap<Node, ReadonlySet<string>>();
/** The symbols a node's attributes and output types mention. */
export function symbolsMentioned(node: Node): ReadonlySet<string> {
  let found = mentioned.get(node);
  if (!found) {
    found = new Set(symbolsIn(node).keys());
    mentioned.set(node, found);
  }
  return found;
}

/** The symbols a node's attributes and output types mention, with their ranges. */
export function symbolsIn(node: Node, into = symbolsOf(0)): ReturnType<typeof symbolsOf> {
  for (const v of node.outputs)
    if (v.type.kind === 'tensor') for (const d of v.type.shape) symbolsOf(d, into);
  collect(node.attrs, into);
  return into;
}

function collect(attr: AttrValue, into: Parameters<typeof symbolsOf>[1]): void {
  if (typeof attr !== 'object') return;
  if (Array.isArray(attr)) for (const a of attr) collect(a, into);
  else if ('kind' in attr && attr.kind === 'poly') symbolsOf(attr as Poly, into);
  else if (Object.getPrototypeOf(attr) === Object.prototype && !('kind' in attr && attr.kind === 'graph'))
    for (const a of Object.values(attr as Attrs)) collect(a, into);
}

/**
 * What a node waits for: its inputs, and the values that bind the symbols it mentions. A symbol that is
 * read off the node's own results is no reason to wait.
 */
export function dependenciesOf(node: Node, { bindings }: Graph): readonly Value[] {
  if (bindings.size === 0) return node.inputs;
  const bound = [...symbolsMentioned(node)].flatMap((s) => bindings.get(s)?.value ?? []);
  const others = bound.filter((v) => v.node !== node && v.node.inputs.every((x) => x.node !== node));
  return others.length === 0 ? node.inputs : [...node.inputs, ...others];
}

const orders = new WeakMap<Graph, readonly Node[]>();
/** Every node the outputs reach, producers first. Iterative: models are deeper than the JS stack. */
export function topological(g: Graph): readonly Node[] {
  const known = orders.get(g);
  if (known) return known;
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack = [...g.inputs, ...g.outputs].map((v) => ({ node: v.node, done: false })).reverse();
  for (let top = stack.pop(); top; top = stack.pop()) {
    if (top.done) {
      order.push(top.node);
      continue;
    }
    if (seen.has(top.node)) continue;
    seen.add(top.node);
    stack.push({ node: top.node, done: true });
    for (const v of [...dependenciesOf(top.node, g)].reverse())
      if (!seen.has(v.node)) stack.push({ node: v.node, done: false });
  }
  orders.set(g, order);
  return order;
}

const users = new WeakMap<Graph, ReadonlyMap<Value, readonly Node[]>>();
/** Who reads each value. Graphs are immutable, so this is computed once and never goes stale. */
export function usersOf(g: Graph): ReadonlyMap<Value, readonly Node[]> {
  let map = users.get(g);
  if (!map) {
    const fresh = new Map<Value, Node[]>();
    for (const node of topological(g))
      for (const v of node.inputs) {
        const list = fresh.get(v);
        if (list) list.push(node);
        else fresh.set(v, [node]);
      }
    map = fresh;
    users.set(g, map);
  }
  return map;
}

/** How often a value is read, the graph's results and symbol bindings counted. */
export function readersOf(g: Graph, v: Value): number {
  let n = usersOf(g).get(v)?.length ?? 0;
  for (const out of g.outputs) if (out === v) n++;
  for (const b of g.bindings.values()) if (b.value === v) n++;
  return n;
}

/** How often the value of the old graph is read that a value of the new one stands for. */
export type Readers = (v: Value) => number;

/**
 * Rebuilds a graph producers first. `replace` sees each node over its new inputs and gives the values to
 * use for its outputs, or undefined to keep the node. Returns the same graph when nothing changed.
 */
export function transform(
  g: Graph,
  replace: (node: Node, readers: Readers) => readonly Value[] | undefined,
): Graph {
  const now = new Map<Value, Value>();
  const standsFor = new Map<Value, Value>();
  const get = (v: Value): Value => now.get(v) ?? v;
  const put = (v: Value, by: Value): void => {
    if (by === v) return;
    now.set(v, by);
    standsFor.set(by, v);
  };
  const readers: Readers = (v) => readersOf(g, standsFor.get(v) ?? v);
  for (const node of topological(g)) {
    const copy = rebuilt(node, node.inputs.map(get));
    // While `replace` looks at the copy, its results count as read like those it copies.
    node.outputs.forEach((v, i) => {
      put(v, copy.outputs[i]!);
    });
    const out = replace(copy, readers);
    if (out)
      node.outputs.forEach((v, i) => {
        put(v, out[i]!);
      });
  }
  if (now.size === 0) return g;
  const bindings = new Map([...g.bindings].map(([k, b]) => [k, { ...b, value: get(b.value) }]));
  return graph(g.inputs.map(get), g.outputs.map(get), g.outputNames, bindings);
}

/** The node with other inputs; the same node when they are the same. */
export const rebuilt = (node: Node, inputs: readonly Value[]): Node =>
  inputs.every((v, i) => v === node.inputs[i]) ? node : emit(node.op, inputs, node.attrs, node.origin);
