import { emit, type Value } from '../../src/ir/graph.js';
import type { Graph as GraphProto } from '../../src/onnx/types.js';
import { if_ } from '../../src/ops/control-flow.js';
import { closeBodies, importBody, outside } from './bodies.js';
import { common, declaredOr, expectResults, graphAttribute, hint, inputOf } from './body-types.js';
import { declaredTypes, withResults } from './declared.js';
import { importGraph } from './graph.js';
import { Malformed } from './malformed.js';
import type { Site } from './nodes.js';
import { Scope } from './scope.js';

/** An If with a known condition is replaced by the branch. */
export function importIf(site: Site): readonly Value[] {
  const { ctx, scope, frame, origin } = site;
  const condition = inputOf(site, 0);
  const protos = [graphAttribute(site, 'then_branch'), graphAttribute(site, 'else_branch')] as const;
  const known = ctx.known(condition)?.[0];
  if (typeof known === 'number') return inlineBranch(site, protos[known === 0 ? 1 : 0]);
  const bodies = protos.map((g) => importBody(ctx, g, scope, frame, []));
  const [then, other] = [bodies[0]!, bodies[1]!];
  if (then.outputs.length !== other.outputs.length)
    throw new Malformed(
      'bad-body',
      `one branch yields ${then.outputs.length} results, the other ${other.outputs.length}`,
    );
  expectResults(site, then.outputs.length);
  const internal = new Set([...then.internal, ...other.internal]);
  const types = then.outputs.map((_, i) =>
    common(outside(then.outputs[i]!.type, internal), outside(other.outputs[i]!.type, internal)),
  );
  const { graphs, captured } = closeBodies(ctx, bodies, origin);
  return ctx.settle(
    declaredOr(site, types),
    hint(site),
    scope.region,
    (outputs) =>
      emit(
        if_,
        [condition, ...captured],
        { thenBranch: graphs[0]!, elseBranch: graphs[1]!, captured: captured.length, outputs },
        origin,
      ).outputs,
    origin,
  );
}

function inlineBranch({ ctx, node, scope, frame }: Site, proto: GraphProto): readonly Value[] {
  const results = proto.output.map((o) => o.name);
  const declared = withResults(declaredTypes(proto), results, scope.declared, node.output);
  const inner = new Scope(scope, scope.region, declared);
  importGraph(ctx, proto, inner, frame);
  return node.output.map((_, i) => {
    const name = proto.output[i]?.name ?? '';
    const v = inner.lookup(name);
    if (v === undefined || v === 'absent')
      throw new Malformed('unknown-value', `nothing computes the result "${name}" of a branch`);
    return v;
  });
}
