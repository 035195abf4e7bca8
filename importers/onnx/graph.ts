import type { Value } from '../../src/ir/graph.js';
import type { Graph as GraphProto, Node as NodeProto } from '../../src/onnx/types.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Context } from './context.js';
import { type Frame, placeOf } from './frame.js';
import { importJoined, joinedWithRest, ranksDiffer } from './joined-if.js';
import { denseLiteral, literalOfTensor } from './literals.js';
import { importNode } from './nodes.js';
import { checkNames, sorted } from './order.js';
import type { Scope } from './scope.js';

/** Imports the initializers and nodes of a graph whose parameters the scope already has. */
export function importGraph(ctx: Context, proto: GraphProto, scope: Scope, frame: Frame): void {
  checkNames(proto);
  const later = (name: string, make: () => Parameters<Context['constant']>[0]): void =>
    scope.define(name, (): Value => ctx.constant(make(), { format: 'onnx', name, opType: 'Initializer' }));
  for (const t of proto.initializer) later(t.name, () => literalOfTensor(t, ctx.baseDir));
  for (const t of proto.sparseInitializer) later(t.values?.name ?? '', () => denseLiteral(t, ctx.baseDir));
  const results = proto.output.map((o) => o.name);
  importNodes(ctx, sorted(proto.node), results, scope, frame);
}

function importNodes(
  ctx: Context,
  nodes: readonly NodeProto[],
  results: readonly string[],
  scope: Scope,
  frame: Frame,
): void {
  for (const [i, node] of nodes.entries()) {
    ctx.countNode();
    CompileError.within(placeOf(node, frame), () => importNode(ctx, node, scope, frame));
    const values = node.output.map((name) => scope.lookup(name) as Value | undefined);
    const joined = ranksDiffer(node, values) && joinedWithRest(ctx, node, nodes.slice(i + 1), results);
    if (!joined) continue;
    importNodes(ctx, joined.others, [], scope, frame);
    if (!importJoined(ctx, joined.node, scope, frame))
      importNodes(ctx, joined.dependents, results, scope, frame);
    return;
  }
}
