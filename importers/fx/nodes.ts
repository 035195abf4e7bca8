import { emit, type Graph, graph, inputValue, type Value } from '../../src/ir/graph.js';
import { if_ } from '../../src/ops/control-flow.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { isArray, isObject, type Json } from '../pt2/json.js';
import { resultNames } from './aten-node.js';
import { Region } from './region.js';
import { fieldsOf, graphOf, listOf, type ProgramGraph, type ProgramNode, unionOf } from './schema.js';
import { Sizes } from './sizes.js';

/** Checks that leave nothing to compute in a program that was exported successfully. */
const checks = /^aten\.(_assert_\w+|_assert_async|sym_constrain_range\w*|_assert_tensor_metadata)\b/;
/** Arithmetic on sizes: the results are declared as expressions. */
const sizeArithmetic =
  /^(_operator\.|math\.|torch\.sym_|builtins\.|aten\.sym_(size|stride|numel|storage_offset)\b)/;

/** Converts the nodes of a graph whose inputs are defined. Problems are collected, so that all are told at once. */
export function importNodes(region: Region): void {
  for (const node of region.graph.nodes) importNode(region, node);
}

const targetOf = (node: ProgramNode): string => node.target.replace(/^torch\.ops\./, '');

function importNode(region: Region, node: ProgramNode): void {
  const target = targetOf(node);
  if (checks.test(target) || sizeArithmetic.test(target)) return;
  const { problems, converters } = region.shared;
  try {
    if (target.startsWith('higher_order.')) {
      higherOrder(region, node, target.slice('higher_order.'.length));
      return;
    }
    if (/^aten\.(item|_local_scalar_dense)\b/.test(target)) {
      scalarOfTensor(region, node);
      return;
    }
    const name = target.replace(/^aten\./, '');
    const plain = name.replace(/^((?!__)\w*[a-zA-Z0-9])_\./, '$1.').replace(/\.default$/, '');
    if (!converters.has(plain)) {
      problems.push(`${target}${place(node)}`);
      region.placeholder(node);
      return;
    }
    region.convert(node, name);
    const origin = region.originOf(node);
    for (const r of resultNames(node.outputs))
      if (r !== undefined && region.has(r)) region.settle(region.value(r), origin);
  } catch (e) {
    if (!(e instanceof CompileError) || !collected.has(e.code)) throw e;
    problems.push(`${target}${place(node)}: ${e.message}`);
    region.placeholder(node);
  }
}

const collected = new Set(['unsupported-form', 'missing-argument', 'type-mismatch']);

const place = (node: ProgramNode): string =>
  ` ("${node.name}"${node.path === '' ? '' : ` in module "${node.path}"`})`;

/** A number read out of a tensor becomes a size. */
function scalarOfTensor(region: Region, node: ProgramNode): void {
  const v = region.operand(node.inputs[0]!.arg, region.originOf(node));
  const [form, value] = unionOf(node.outputs[0], 'a result');
  if (!v || (form !== 'as_sym_int' && form !== 'as_sym_bool'))
    throw new CompileError('unsupported-form', 'a number that is not whole is read out of a tensor');
  const extent = region.sizeArgument(form, value);
  if (extent !== undefined) region.bind(extent, v, 0);
}

function higherOrder(region: Region, node: ProgramNode, name: string): void {
  const args = node.inputs.map((a) => a.arg);
  switch (name) {
    case 'wrap_with_set_grad_enabled':
      inlined(region, node, args[1]!, args.slice(2));
      return;
    case 'wrap_with_autocast':
      inlined(region, node, args[4]!, args.slice(5));
      return;
    case 'cond':
      condition(region, node, args);
      return;
    default:
      throw new CompileError('unsupported-form', 'this control flow is not known');
  }
}

const subgraph = (arg: Json): ProgramGraph =>
  graphOf(fieldsOf(unionOf(arg, 'a graph')[1], 'a graph').graph, 'a graph');

/** The body stands where the call is: its names are its own, its sizes those around it. */
function inlined(region: Region, node: ProgramNode, body: Json, operands: readonly Json[]): void {
  const g = subgraph(body);
  const inner = new Region(region.shared, g, region.sizes, region.originOf(node).name);
  bindOperands(region, node, inner, g, operands);
  importNodes(inner);
  for (const [key, binding] of inner.bindings) region.bindings.set(key, binding);
  defineResults(region, node, resultsOf(inner, node));
}

function bindOperands(
  region: Region,
  node: ProgramNode,
  inner: Region,
  g: ProgramGraph,
  operands: readonly Json[],
): void {
  const origin = region.originOf(node);
  g.inputs.forEach((input, i) => {
    const [form, value] = unionOf(input, 'an input');
    if (form !== 'as_tensor') return;
    const v = operands[i] === undefined ? undefined : region.operand(operands[i], origin);
    if (v) inner.define(String(fieldsOf(value, 'an input').name), v);
  });
}

const resultsOf = (inner: Region, node: ProgramNode): readonly (Value | undefined)[] =>
  inner.graph.outputs.map((o) => inner.operand(o, inner.originOf(node)));

function defineResults(region: Region, node: ProgramNode, values: readonly (Value | undefined)[]): void {
  resultNames(node.outputs).forEach((name, i) => {
    const v = values[i];
    if (name !== undefined && v) region.define(name, v);
  });
}

function condition(region: Region, node: ProgramNode, args: readonly Json[]): void {
  const origin = region.originOf(node);
  const predicate = region.operand(args[0]!, origin);
  if (!predicate) throw new CompileError('unsupported-form', 'the condition is no tensor');
  const listed = args.slice(3).flatMap(spread);
  const known = region.content(predicate)?.data[0];
  if (typeof known === 'number') {
    inlined(region, node, known !== 0 ? args[1]! : args[2]!, listed);
    return;
  }
  const operands = listed.flatMap((a) => region.operand(a, origin) ?? []);
  const branch = (arg: Json, which: string): Graph => body(region, node, subgraph(arg), operands, which);
  const outputs = resultNames(node.outputs).flatMap((r) => (r === undefined ? [] : [region.type(r)]));
  const made = emit(
    if_,
    [predicate, ...operands],
    {
      thenBranch: branch(args[1]!, 'then'),
      elseBranch: branch(args[2]!, 'else'),
      captured: operands.length,
      outputs,
    },
    origin,
  );
  defineResults(region, node, made.outputs);
  for (const v of made.outputs) region.settle(v, origin);
}

/** A list of operands as single ones. */
function spread(arg: Json): readonly Json[] {
  const [form, value] = unionOf(arg, 'an argument');
  if (!isArray(value)) return [arg];
  if (form === 'as_tensors') return value.map((t): Json => ({ as_tensor: t }));
  return listOf(value, 'an argument').filter(isObject);
}

/** A closed graph: its sizes are symbols of its own, bound by its inputs. */
function body(
  region: Region,
  node: ProgramNode,
  g: ProgramGraph,
  operands: readonly Value[],
  which: string,
): Graph {
  const name = region.originOf(node).name;
  const sizes = new Sizes({}, new Map(), `${name.replace(/\W/g, '_')}_${which}_`);
  const inner = new Region(region.shared, g, sizes, `${name}/${which}`);
  const inputs = operands.map((v, i) => {
    const declared = fieldsOf(unionOf(g.inputs[i], 'an input')[1], 'an input').name;
    const own = String(declared);
    const type = g.tensors[own] === undefined ? v.type : inner.type(own);
    const parameter = inputValue(own, type);
    inner.define(own, parameter);
    if (parameter.type.kind === 'tensor') inner.bindInput(parameter);
    return parameter;
  });
  importNodes(inner);
  const outputs = g.outputs.map((o) => {
    const v = inner.operand(o, inner.originOf(node));
    if (!v) throw new CompileError('unsupported-form', 'a branch yields what is no tensor');
    return v;
  });
  return graph(inputs, outputs, undefined, inner.bindings);
}
