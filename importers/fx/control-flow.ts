import { emit, inputValue, shapeOf, type Value } from '../../src/ir/graph.js';
import { tensor, type ValueType } from '../../src/ir/type.js';
import { if_, loop, scan } from '../../src/ops/control-flow.js';
import { reshape } from '../../src/ops/reshape.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Json } from '../pt2/json.js';
import { bodyOf, closed, evaluated, operandsOf, passed, spread, subgraph } from './bodies.js';
import { inlined } from './inlined.js';
import type { Region } from './region.js';
import { fieldsOf, type ProgramGraph, type ProgramNode, textOf, unionOf } from './schema.js';

type HigherOrder = (region: Region, node: ProgramNode, args: readonly Json[]) => void;

/** A block that stands for its graph, which is one argument; the operands come after another. */
const block =
  (graph: number, operands: number): HigherOrder =>
  (region, node, args) => {
    inlined(region, node, subgraph(args[graph]), args.slice(operands).flatMap(spread));
  };

const kinds: Readonly<Record<string, HigherOrder>> = {
  wrap_with_set_grad_enabled: block(1, 2),
  wrap_with_autocast: block(4, 5),
  wrap: block(0, 1),
  strict_mode: block(0, 1),
  tag_activation_checkpoint: block(0, 1),
  invoke_subgraph: block(0, 2),
  cond: condition,
  while_loop: whileLoop,
  scan: (region, node, [g, states, sequences, more]) => {
    scanned(region, node, subgraph(g), spread(states), spread(sequences), spread(more));
  },
  map_impl: (region, node, [g, sequences, more]) => {
    scanned(region, node, subgraph(g), [], spread(sequences), spread(more));
  },
};

/** Converts an operator that takes graphs. */
export function higherOrder(region: Region, node: ProgramNode, name: string): void {
  const convert = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (!convert) throw new CompileError('unsupported-form', 'control flow of a kind that is not known');
  const args = node.inputs.map((a) => a.arg);
  convert(region, node, args);
}

function condition(region: Region, node: ProgramNode, args: readonly Json[]): void {
  const origin = region.originOf(node);
  const predicate = region.operand(args[0] ?? null, origin);
  if (!predicate) throw new CompileError('unsupported-form', 'a condition that is no tensor');
  const listed = args.slice(3).flatMap(spread);
  const known = region.content(predicate)?.data[0];
  if (typeof known === 'number') {
    inlined(region, node, subgraph(known !== 0 ? args[1] : args[2]), listed);
    return;
  }
  const values = operandsOf(region, listed, origin);
  const bodies = [
    bodyOf(region, node, subgraph(args[1]), values, 0, 'then'),
    bodyOf(region, node, subgraph(args[2]), values, 0, 'else'),
  ];
  const { graphs, captured } = closed(region, bodies, origin);
  const inputs = [...passed(values, 0), ...captured];
  const attrs = { thenBranch: graphs[0]!, elseBranch: graphs[1]!, captured: inputs.length };
  defineResults(
    region,
    node,
    (outputs) => emit(if_, [predicate, ...inputs], { ...attrs, outputs }, origin).outputs,
  );
}

/** The condition is evaluated before the loop, and by its body for the next time. */
function whileLoop(region: Region, node: ProgramNode, args: readonly Json[]): void {
  const origin = region.originOf(node);
  const states = spread(args[2]);
  const values = operandsOf(region, [...states, ...spread(args[3])], origin);
  const test = subgraph(args[0]);
  const scalar = (v: Value | undefined): Value => {
    if (!v) throw new CompileError('bad-program', 'a loop has no condition');
    return shapeOf(v).length === 0 ? v : region.shared.builder.build(origin)(reshape, [v], { shape: [] });
  };
  const first = scalar(evaluated(region, node, test, values)[0]);
  const body = bodyOf(region, node, subgraph(args[1]), values, states.length, 'body');
  const after = [...body.results, ...body.inputs.slice(states.length)];
  const again = scalar(evaluated(body.region, node, test, after)[0]);
  const parameters = [
    inputValue('iteration', tensor('i64', [])),
    inputValue('condition', tensor('bool', [])),
    ...body.parameters,
  ];
  const whole = { ...body, parameters, results: [again, ...body.results] };
  const { graphs, captured } = closed(region, [whole], origin);
  const inputs = [first, ...passed(values, states.length), ...captured];
  const attrs = {
    body: graphs[0]!,
    hasCount: false,
    hasCondition: true,
    captured: inputs.length - 1 - states.length,
  };
  defineResults(region, node, (outputs) => emit(loop, inputs, { ...attrs, outputs }, origin).outputs);
}

function scanned(
  region: Region,
  node: ProgramNode,
  g: ProgramGraph,
  states: readonly Json[],
  sequences: readonly Json[],
  more: readonly Json[],
): void {
  if (sequences.length === 0) throw new CompileError('unsupported-form', 'a scan over nothing');
  const origin = region.originOf(node);
  const values = operandsOf(region, [...states, ...sequences, ...more], origin);
  const own = states.length + sequences.length;
  const body = bodyOf(region, node, g, values, own, 'body');
  const { graphs, captured } = closed(region, [body], origin);
  const inputs = [...passed(values, own), ...captured];
  const read = sequences.map(() => 0);
  const written = body.results.slice(states.length).map(() => 0);
  const attrs = {
    body: graphs[0]!,
    scanned: sequences.length,
    inputAxes: read,
    inputDirections: read,
    outputAxes: written,
    outputDirections: written,
    captured: inputs.length - own,
  };
  defineResults(region, node, (outputs) => emit(scan, inputs, { ...attrs, outputs }, origin).outputs);
}

/** Gives the results of a node of control flow their names; sizes among them are bound to tensors. */
function defineResults(
  region: Region,
  node: ProgramNode,
  make: (outputs: readonly ValueType[]) => readonly Value[],
): void {
  const results = node.outputs.flatMap(spread).map((o) => {
    const [form, value] = unionOf(o, 'a result');
    if (form === 'as_tensor') {
      const name = textOf(fieldsOf(value, 'a result').name, 'a result');
      return { type: region.type(name), use: (v: Value) => region.define(name, v) };
    }
    const size = region.sizeArgument(form, value);
    if (size === undefined) throw new CompileError('unsupported-form', `a result of the form "${form}"`);
    const type = tensor(form.endsWith('bool') ? 'bool' : 'i64', []);
    return { type, use: (v: Value) => region.bind(size, v, 0) };
  });
  const made = make(results.map((r) => r.type));
  results.forEach(({ use }, i) => {
    use(made[i]!);
  });
  for (const v of made) region.settle(v, region.originOf(node));
}
