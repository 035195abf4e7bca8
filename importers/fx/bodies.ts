import { bareSymbol, type Dim, show } from '../../src/ir/dim.js';
import {
  type Graph,
  graph,
  inputValue,
  is,
  type Origin,
  symbolsMentioned,
  topological,
  type Value,
} from '../../src/ir/graph.js';
import { constant, dims } from '../../src/ops/constant.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { pruned } from '../onnx/bodies.js';
import type { Json } from '../pt2/json.js';
import { importNodes } from './nodes.js';
import { Region } from './region.js';
import { fieldsOf, graphOf, listOf, type ProgramGraph, type ProgramNode, textOf, unionOf } from './schema.js';

/** The graph of a control-flow operator, not yet closed over the sizes that it reads. */
export interface Body {
  readonly region: Region;
  /** What stands for each operand inside: a parameter, or the constant that it is. */
  readonly inputs: readonly Value[];
  readonly parameters: readonly Value[];
  readonly results: readonly Value[];
}

export const subgraph = (arg: Json | undefined): ProgramGraph =>
  graphOf(fieldsOf(unionOf(arg, 'a graph')[1], 'a graph').graph, 'a graph');

const elements: Readonly<Record<string, string>> = {
  as_tensors: 'as_tensor',
  as_sym_ints: 'as_sym_int',
  as_ints: 'as_int',
  as_bools: 'as_bool',
  as_sym_bools: 'as_sym_bool',
};

/** An argument that may be a list, as single arguments. */
export function spread(arg: Json | undefined): readonly Json[] {
  if (arg === undefined) return [];
  const [form, value] = unionOf(arg, 'an argument');
  const element = elements[form];
  if (element !== undefined) return listOf(value, 'an argument').map((v): Json => ({ [element]: v }));
  return form === 'as_optional_tensors' ? listOf(value, 'an argument') : [arg];
}

/** The operands of a graph as values: tensors, and sizes as tensors without axes. */
export const operandsOf = (region: Region, args: readonly Json[], origin: Origin): readonly Value[] =>
  args.map((arg) => {
    const v = region.operand(arg, origin);
    if (v) return v;
    throw new CompileError('unsupported-form', `an operand of the form "${unionOf(arg, 'an argument')[0]}"`);
  });

/** The operands that are handed over when the model runs: constants beyond the first `own` are the body's own. */
export const passed = (values: readonly Value[], own: number): readonly Value[] =>
  values.filter((v, i) => i < own || !is(v.node, constant));

/** Imports a graph as one of its own over operands, of which the first `own` are parameters in any case. */
export function bodyOf(
  region: Region,
  node: ProgramNode,
  g: ProgramGraph,
  values: readonly Value[],
  own: number,
  which: string,
): Body {
  const { name } = region.originOf(node);
  const prefix = `${name.replace(/\W/g, '_')}_${which}_`;
  const inner = new Region(region.shared, g, region.sizes.inner(prefix), `${name}/${which}`);
  expectInputs(g, values.length, name);
  const handedOver = new Set(passed(values, own));
  const inputs = g.inputs.map((input, i) => parameterOf(inner, input, values[i]!, i, handedOver));
  const results = importedResults(inner, node, inputs);
  return { region: inner, inputs, parameters: inputs.filter((v, i) => v !== values[i]), results };
}

function parameterOf(
  inner: Region,
  input: Json,
  outer: Value,
  i: number,
  handedOver: ReadonlySet<Value>,
): Value {
  const [form, value] = unionOf(input, 'an input');
  if (form !== 'as_tensor') {
    const size = inner.sizeArgument(form, value);
    if (!handedOver.has(outer)) return outer;
    const parameter = inputValue(`size_${i}`, outer.type);
    if (size !== undefined) inner.bind(size, parameter, 0);
    return parameter;
  }
  const name = textOf(fieldsOf(value, 'an input').name, 'an input');
  const taken = handedOver.has(outer) ? inputValue(name, inner.type(name)) : outer;
  inner.define(name, taken);
  if (taken !== outer) inner.bindInput(taken);
  return taken;
}

/** Evaluates a graph where it stands, on values of the region around it. */
export function evaluated(
  region: Region,
  node: ProgramNode,
  g: ProgramGraph,
  values: readonly Value[],
): readonly Value[] {
  const { name } = region.originOf(node);
  expectInputs(g, values.length, name);
  const inner = new Region(region.shared, g, region.sizes, name, region);
  g.inputs.forEach((input, i) => {
    const [form, value] = unionOf(input, 'an input');
    if (form === 'as_tensor') inner.define(textOf(fieldsOf(value, 'an input').name, 'an input'), values[i]!);
  });
  const results = importedResults(inner, node, values);
  return results;
}

/** Results of a graph whose inputs are defined, and may not change. */
function importedResults(inner: Region, node: ProgramNode, inputs: readonly Value[]): readonly Value[] {
  importNodes(inner);
  inner.graph.inputs.forEach((input, i) => {
    const [form, value] = unionOf(input, 'an input');
    if (form !== 'as_tensor' || inner.value(String(fieldsOf(value, 'an input').name)) === inputs[i]) return;
    throw new CompileError(
      'unsupported-form',
      'a branch or a loop that changes a tensor from outside it in place',
      'let it yield the new tensor instead',
    );
  });
  return inner.graph.outputs.map((o) => {
    const v = inner.operand(o, inner.originOf(node));
    if (!v) throw new CompileError('unsupported-form', 'a branch or a loop that yields what is no tensor');
    return v;
  });
}

function expectInputs(g: ProgramGraph, given: number, name: string): void {
  if (g.inputs.length === given) return;
  throw new CompileError(
    'bad-program',
    `a graph of "${name}" takes ${g.inputs.length} values and is given ${given}`,
  );
}

export interface Closed {
  readonly graphs: readonly Graph[];
  /** The extents that the graphs take as their last input, where they read any. */
  readonly captured: readonly Value[];
}

/** Makes graphs of the bodies of one node; sizes that none of their inputs shows become their last input. */
export function closed(region: Region, bodies: readonly Body[], origin: Origin): Closed {
  const outer = new Map<string, Dim>();
  const open = bodies.map((b) =>
    [...freeSymbols(opened(b))].map((key) => [key, sizeOutside(b, key)] as const),
  );
  for (const [, d] of open.flat()) outer.set(show(d), d);
  const close = (b: Body, more: readonly Value[]): Graph =>
    pruned(graph([...b.parameters, ...more], b.results, undefined, b.region.bindings));
  if (outer.size === 0) return { graphs: bodies.map((b) => close(b, [])), captured: [] };
  const keys = [...outer.keys()].sort();
  const extents = region.shared.builder.build(origin)(dims, [], {
    dims: keys.map((key) => outer.get(key)!),
    dtype: 'i64',
    shape: [keys.length],
  });
  const graphs = bodies.map((b, i) => {
    const value = inputValue('captured_extents', extents.type);
    for (const [key, d] of open[i]!) b.region.bindings.set(key, { value, element: keys.indexOf(show(d)) });
    return close(b, [value]);
  });
  return { graphs, captured: [extents] };
}

const opened = ({ region, parameters, results }: Body): Graph =>
  graph(parameters, results, undefined, region.bindings);

function sizeOutside({ region }: Body, key: string): Dim {
  const d = region.sizes.outside(key);
  if (d !== undefined) return d;
  throw new CompileError('unsupported-form', `control flow with the extent ${key}, which nothing computes`);
}

/** The symbols of a graph that neither an input nor another value tells. */
export function freeSymbols(g: Graph): ReadonlySet<string> {
  const bound = new Set(g.bindings.keys());
  for (const v of g.inputs)
    if (v.type.kind === 'tensor') for (const d of v.type.shape) bound.add(bareSymbol(d) ?? '');
  const mentioned = topological(g).flatMap((n) => [...symbolsMentioned(n)]);
  return new Set(mentioned.filter((key) => !bound.has(key)));
}
