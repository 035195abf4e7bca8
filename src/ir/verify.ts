import { CompileError } from '../support/diagnostic.js';
import { bareSymbol } from './dim.js';
import {
  type AttrValue,
  dependenciesOf,
  describe,
  type Graph,
  input,
  inputName,
  is,
  type Node,
  symbolsMentioned,
  topological,
  type Value,
} from './graph.js';
import { isInteger, showType, type TensorType } from './type.js';

/** How far a graph has come. Each stage allows less than the one before. */
export const stages = ['imported', 'lowered', 'partitioned'] as const;
export type Stage = (typeof stages)[number];

/** One row of the table of what a graph must not contain. */
export interface VerifyRule {
  /** The stage from which on it holds. */
  readonly since: Stage;
  /** Why a node must not be in the graph: a sentence, or undefined when it may. */
  readonly forbids: (node: Node, g: Graph) => string | undefined;
}

/**
 * Checks what every graph must satisfy, and the rows of the table that hold at a stage. Runs after every
 * pass: what one node alone decides is checked once, as nodes never change.
 */
export const verifier =
  (table: readonly VerifyRule[]) =>
  (stage: Stage) =>
  (g: Graph): void => {
    const rules = table.filter((r) => stages.indexOf(r.since) <= stages.indexOf(stage));
    verifyInterface(g);
    verifyGraph(g, rules);
  };

const broken = (message: string): CompileError =>
  new CompileError('broken-graph', message, 'this is a mistake in the compiler, not in the model');

function verifyGraph(g: Graph, rules: readonly VerifyRule[]): void {
  for (const v of g.inputs) if (!is(v.node, input)) throw broken(`${v.node.op.name} is taken for an input`);
  const order = topological(g);
  const done = new Set<Node>();
  for (const node of order)
    CompileError.within(`at ${node.op.name}, from ${describe(node.origin)}`, () => {
      verifyNode(node);
      for (const v of dependenciesOf(node, g))
        if (!done.has(v.node)) throw broken(`it waits for ${v.node.op.name}, which waits for it`);
      done.add(node);
      if (is(node, input) && !g.inputs.includes(node.outputs[0]!))
        throw broken(`the input "${inputName(node.outputs[0]!)}" is not one of the graph's`);
      for (const { forbids } of rules) {
        const why = forbids(node, g);
        if (why !== undefined) throw broken(why);
      }
      for (const body of graphsIn(node.attrs)) verifyGraph(body, rules);
    });
  verifySymbols(g, order);
}

/** The names by which a caller knows a graph's values; a body is called by position. */
function verifyInterface(g: Graph): void {
  if (g.outputNames.length !== g.outputs.length)
    throw broken(`${g.outputs.length} results have ${g.outputNames.length} names`);
  unique('result', g.outputNames);
  unique('input', g.inputs.map(inputName));
}

function unique(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw broken(`two graph ${what}s are named "${name}"`);
    seen.add(name);
  }
}

const verified = new WeakSet<Node>();

function verifyNode(node: Node): void {
  if (verified.has(node)) return;
  node.inputs.forEach((v, i) => {
    if (v?.node.outputs[v.index] !== v) throw broken(`input ${i} is no result of a node`);
    if (v.type.kind === 'opaque' && !node.op.takesOpaque) throw broken(`input ${i} is ${v.type.text}`);
  });
  const inferred = node.op.infer(
    node.inputs.map((v) => v.type as TensorType),
    node.attrs,
  );
  const [is, should] = [node.outputs.map((v) => v.type), inferred].map((t) => t.map(showType).join(', '));
  if (is !== should) throw broken(`its results are recorded as ${is} but inferred as ${should}`);
  verified.add(node);
}

/** A symbol that only the results of one node mention needs no source. */
function verifySymbols(g: Graph, order: readonly Node[]): void {
  for (const [symbol, { value, element }] of g.bindings) {
    const { type } = value;
    if (type.kind === 'opaque' || !isInteger(type.dtype))
      throw broken(`${symbol} is bound to ${showType(type)}`);
    const size = type.shape.reduce<number>((n, d) => (typeof d === 'number' ? n * d : Number.NaN), 1);
    if (element < 0 || element >= size)
      throw broken(`${symbol} is bound to element ${element} of ${showType(type)}`);
  }
  const bound = new Set([...g.bindings.keys(), ...g.inputs.flatMap(extentsOf)]);
  const mentions = new Map<string, Node>();
  for (const node of order)
    for (const symbol of symbolsMentioned(node)) {
      if (bound.has(symbol)) continue;
      const other = mentions.get(symbol);
      if (other || !node.outputs.flatMap(extentsOf).includes(symbol))
        throw broken(`nothing tells the value of the symbol ${symbol}, which ${node.op.name} needs`);
      mentions.set(symbol, node);
    }
}

const extentsOf = (v: Value): readonly string[] =>
  v.type.kind === 'opaque' ? [] : v.type.shape.flatMap((d) => bareSymbol(d) ?? []);

function graphsIn(attr: AttrValue): readonly Graph[] {
  if (typeof attr !== 'object') return [];
  if (Array.isArray(attr)) return attr.flatMap(graphsIn);
  if ('kind' in attr && attr.kind === 'graph') return [attr as Graph];
  if (Object.getPrototypeOf(attr) !== Object.prototype || ('kind' in attr && attr.kind === 'poly')) return [];
  return Object.values(attr).flatMap((x) => graphsIn(x as AttrValue));
}
