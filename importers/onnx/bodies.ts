import { bareSymbol, type Dim, symbolsOf } from '../../src/ir/dim.js';
import {
  emit,
  type Graph,
  graph,
  inputValue,
  type Origin,
  symbolsMentioned,
  topological,
  type Value,
} from '../../src/ir/graph.js';
import { type OpaqueType, tensor, type ValueType } from '../../src/ir/type.js';
import type { Graph as GraphProto } from '../../src/onnx/types.js';
import { dims } from '../../src/ops/constant.js';
import type { Context, OpenType } from './context.js';
import { declaredTypes, openTypeOf } from './declared.js';
import type { Frame } from './frame.js';
import { importGraph } from './graph.js';
import { Malformed } from './malformed.js';
import { Region, Scope } from './scope.js';
import { unknownType } from './type-proto.js';

/** The graph of a control-flow operator, not yet closed over what it captures. */
export interface Body {
  readonly region: Region;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly outputNames: readonly string[];
  /** Symbols that mean nothing outside. */
  readonly internal: ReadonlySet<string>;
}

/** Imports a body. What it says of its parameters counts; `formals` fills in where it says nothing. */
export function importBody(
  ctx: Context,
  proto: GraphProto,
  scope: Scope,
  frame: Frame,
  formals: readonly (OpenType | OpaqueType | undefined)[],
  trusted = false,
): Body {
  const region = new Region(scope.region, (inner, outer) => ctx.adopt(inner, outer));
  const inner = new Scope(scope, region, declaredTypes(proto));
  const internal = new Set<string>();
  const given = new Set(proto.initializer.map((t) => t.name));
  const inputs = proto.input
    .filter((i) => !given.has(i.name))
    .map(({ name, type }, i) => {
      const declared = openTypeOf(type, ctx);
      const useful = declared?.kind === 'open' ? declared : undefined;
      const open = (trusted ? (formals[i] ?? useful) : (useful ?? formals[i])) ?? declared ?? unknownType;
      const v = inputValue(name, closedType(open, name, ctx, internal));
      inner.define(name, v);
      return v;
    });
  importGraph(ctx, proto, inner, frame);
  for (const key of region.bindings.keys()) internal.add(key);
  const outputs = proto.output.map(({ name }) => {
    const v = inner.lookup(name);
    if (v === undefined || v === 'absent')
      throw new Malformed('unknown-value', `nothing computes the result "${name}" of a body`);
    return v;
  });
  return { region, inputs, outputs, outputNames: proto.output.map((o) => o.name), internal };
}

function closedType(t: OpenType | OpaqueType, name: string, ctx: Context, internal: Set<string>): ValueType {
  if (t.kind === 'opaque') return t;
  return tensor(
    t.dtype,
    t.dims.map((d, axis) => {
      if (d !== undefined) return d;
      const fresh = ctx.symbols.fresh(`${name}_${axis}`);
      for (const key of symbolsOf(fresh).keys()) internal.add(key);
      return fresh;
    }),
  );
}

/** Extents as they are seen outside: those in terms of a body's own symbols are open. */
export function outside(type: ValueType, internal: ReadonlySet<string>): OpenType | OpaqueType {
  if (type.kind === 'opaque') return type;
  const open = (d: Dim): Dim | undefined =>
    [...symbolsOf(d).keys()].some((key) => internal.has(key)) ? undefined : d;
  return { kind: 'open', dtype: type.dtype, dims: type.shape.map(open) };
}

export interface Closed {
  readonly graphs: readonly Graph[];
  readonly captured: readonly Value[];
}

/** Makes graphs of the bodies of one node. They share its captured values, and each binds every symbol it mentions. */
export function closeBodies(ctx: Context, bodies: readonly Body[], origin: Origin): Closed {
  const captured = [...new Set(bodies.flatMap((b) => [...b.region.captured.keys()]))];
  const standins = bodies.map(({ region }) =>
    captured.map((v, i) => region.captured.get(v) ?? inputValue(`unused_${i}`, v.type)),
  );
  const open = bodies.map((b, i) => freeSymbols(graphOf(b, standins[i]!), b.region));
  const free = [...new Set(open.flatMap((names) => [...names]))].sort();
  if (free.length === 0) return { graphs: bodies.map((b, i) => graphOf(b, standins[i]!)), captured };
  const extents = emit(
    dims,
    [],
    { dims: free.map((key) => ctx.symbols.of(key)), dtype: 'i64', shape: [free.length] },
    origin,
  ).outputs[0]!;
  const graphs = bodies.map((b, i) => {
    const value = inputValue('captured_extents', extents.type);
    for (const key of open[i]!) b.region.bindings.set(key, { value, element: free.indexOf(key) });
    return graphOf(b, [...standins[i]!, value]);
  });
  return { graphs, captured: [...captured, extents] };
}

const graphOf = (b: Body, captured: readonly Value[]): Graph =>
  pruned(graph([...b.inputs, ...captured], b.outputs, b.outputNames, b.region.bindings));

/** Without the bindings of symbols that only their own producers mention, if anybody does. */
export function pruned(g: Graph): Graph {
  const nodes = topological(g);
  const reached = new Set(nodes);
  const mentioned = new Set(nodes.flatMap((node) => [...symbolsMentioned(node)]));
  return graph(
    g.inputs,
    g.outputs,
    g.outputNames,
    new Map([...g.bindings].filter(([key, { value }]) => mentioned.has(key) && reached.has(value.node))),
  );
}

function freeSymbols(g: Graph, { bindings }: Region): ReadonlySet<string> {
  const bound = new Set(bindings.keys());
  for (const v of g.inputs)
    if (v.type.kind === 'tensor') for (const d of v.type.shape) bound.add(bareSymbol(d) ?? '');
  const mentioned = topological(g).flatMap((node) => [...symbolsMentioned(node)]);
  return new Set(mentioned.filter((key) => !bound.has(key)));
}
