import { is, topological, type Value } from '../../src/ir/graph.js';
import { graphAttribute, make, makeNode } from '../../src/onnx/make.js';
import { valueInfo } from '../../src/onnx/schema.js';
import type { Graph as GraphProto, Node as NodeProto } from '../../src/onnx/types.js';
import { if_ } from '../../src/ops/control-flow.js';
import { foreign } from '../../src/ops/foreign.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Context } from './context.js';
import { domainOf, type Frame } from './frame.js';
import { importNode } from './nodes.js';
import { namesReadBy } from './order.js';
import { Scope } from './scope.js';

/** An If that has taken up what depends on its results. */
export interface JoinedIf {
  readonly node: NodeProto;
  readonly dependents: readonly NodeProto[];
  readonly others: readonly NodeProto[];
}

/**
 * Whether the results' rank depends on the branch taken, as where an axis is squeezed if its extent is 1: then
 * nothing behind the If could be compiled.
 */
export function ranksDiffer(node: NodeProto, results: readonly (Value | undefined)[]): boolean {
  if (node.opType !== 'If' || domainOf(node.domain) !== '') return false;
  return results.some((v) => v?.type.kind === 'opaque' && v.type.text.endsWith('[*]'));
}

/**
 * Gives each branch of an If its own copy of the nodes that depend on its results, so that all of them know the ranks
 * they work on. `rest` are the nodes behind it, producers first, and `results` the names that the graph yields.
 */
export function joinedWithRest(
  ctx: Context,
  node: NodeProto,
  rest: readonly NodeProto[],
  results: readonly string[],
): JoinedIf | undefined {
  const names = new Set(node.output.filter((name) => name !== ''));
  const dependents: NodeProto[] = [];
  const others: NodeProto[] = [];
  for (const n of rest) {
    const depends = [...namesReadBy(n)].some((name) => names.has(name));
    (depends ? dependents : others).push(n);
    if (depends) for (const name of n.output) if (name !== '') names.add(name);
  }
  const wanted = results.filter((name) => names.has(name));
  if (wanted.length === 0 || !ctx.mayCopy(dependents.length)) return undefined;
  const attribute = node.attribute.map((a) => {
    if (!a.g) return a;
    const own = new Set([...a.g.node.flatMap((n) => n.output), ...a.g.initializer.map((t) => t.name)]);
    if ([...names].some((name) => own.has(name))) return undefined;
    return graphAttribute(a.name, withRest(a.g, node.output, dependents, wanted));
  });
  if (!attribute.every((a) => a !== undefined)) return undefined;
  return { node: makeNode({ ...node, output: wanted, attribute }), dependents, others };
}

function withRest(
  branch: GraphProto,
  names: readonly string[],
  rest: readonly NodeProto[],
  wanted: readonly string[],
): GraphProto {
  const renamed = names.flatMap((name, i) =>
    name === '' || !branch.output[i]
      ? []
      : [makeNode({ opType: 'Identity', name, input: [branch.output[i].name], output: [name] })],
  );
  const output = wanted.map((name) => make(valueInfo, { name }));
  return { ...branch, node: [...branch.node, ...renamed, ...rest], output };
}

/** Imports a joined If, if nothing in it is left to others; says whether it did. */
export function importJoined(ctx: Context, node: NodeProto, scope: Scope, frame: Frame): boolean {
  const trial = new Scope(scope, scope.region, scope.declared);
  try {
    const { result, release } = ctx.holdingBack(() => {
      ctx.copying(() => importNode(ctx, node, trial, frame));
      return node.output.map((name) => trial.lookup(name) as Value);
    });
    if (!result.every(isWhole)) return false;
    release();
    node.output.forEach((name, i) => {
      scope.define(name, result[i]!);
    });
    return true;
  } catch (e) {
    if (e instanceof CompileError) return false;
    throw e;
  }
}

function isWhole({ node, type }: Value): boolean {
  if (type.kind === 'opaque') return false;
  if (!is(node, if_)) return true;
  const inner = [node.attrs.thenBranch, node.attrs.elseBranch].flatMap(topological);
  return inner.every((n) => !is(n, foreign) && n.outputs.every(isWhole));
}
