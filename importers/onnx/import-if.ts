import { describe, emit, graph, topological, type Value } from '../../src/ir/graph.js';
import { tensor } from '../../src/ir/type.js';
import type { Graph as GraphProto } from '../../src/onnx/types.js';
import { fail, if_ } from '../../src/ops/control-flow.js';
import { type Body, importBody, outside } from './bodies.js';
import { common, emitWithBodies, expectResults, graphAttribute, inputOf, type Open } from './body-types.js';
import { declaredTypes, withResults } from './declared.js';
import { importGraph } from './graph.js';
import { Malformed } from './malformed.js';
import type { Site } from './nodes.js';
import { Region, Scope } from './scope.js';

/**
 * An If with a known condition is replaced by the branch. A branch of which it is certain that it fails when it runs
 * ends the run with an error instead, and the other tells the types of the results.
 */
export function importIf(site: Site): readonly Value[] {
  const { ctx, scope, frame } = site;
  const condition = inputOf(site, 0);
  const protos = [graphAttribute(site, 'then_branch'), graphAttribute(site, 'else_branch')] as const;
  const known = ctx.known(condition)?.[0];
  if (typeof known === 'number') return inlineBranch(site, protos[known === 0 ? 1 : 0]);
  const imported = protos.map((g) => ctx.holdingBack(() => importBody(ctx, g, scope, frame, [])));
  const [then, other] = imported.map((b) => b.result) as [Body, Body];
  if (then.outputs.length !== other.outputs.length)
    throw new Malformed(
      'bad-body',
      `one branch yields ${then.outputs.length} results, the other ${other.outputs.length}`,
    );
  expectResults(site, then.outputs.length);
  const bodies = [failingLike(site, then, other) ?? then, failingLike(site, other, then) ?? other];
  imported.forEach(({ result, release }, i) => {
    if (bodies[i] === result) release();
  });
  const internal = new Set(bodies.flatMap((b) => [...b.internal]));
  const types = then.outputs.map((_, i): Open => {
    // Where one branch fails, the results are those of the other.
    const [a, b] = bodies.map((body) => outside(body.outputs[i]!.type, internal)) as [Open, Open];
    return bodies[0] !== then ? b : bodies[1] !== other ? a : common(a, b);
  });
  return emitWithBodies(site, if_, [condition], bodies, types, ([thenBranch, elseBranch]) => ({
    thenBranch: thenBranch!,
    elseBranch: elseBranch!,
  }));
}

/** Ends the run in place of a branch that certainly fails, as long as the other does not. */
function failingLike({ ctx, inputs, scope, origin }: Site, body: Body, like: Body): Body | undefined {
  const reason = failureOf(body);
  if (reason === undefined || failureOf(like) !== undefined) return undefined;
  const outputs = like.outputs.map(({ type }) =>
    type.kind === 'opaque'
      ? undefined
      : tensor(
          type.dtype,
          type.shape.map((d) => (typeof d === 'number' ? d : 0)),
        ),
  );
  if (!outputs.every((t) => t !== undefined)) return undefined;
  const region = new Region(scope.region, (inner, outer) => ctx.adopt(inner, outer));
  const message = `the branch that was to run cannot: ${reason}`;
  const node = emit(fail, [region.capture(inputs[0]!)], { message, outputs }, origin);
  return { region, inputs: [], outputs: node.outputs, outputNames: body.outputNames, internal: new Set() };
}

/** Why a body fails whenever it runs. */
function failureOf({ region, inputs, outputs, outputNames }: Body): string | undefined {
  if (region.failing.size === 0) return undefined;
  const reached = topological(graph(inputs, outputs, outputNames, region.bindings));
  const node = reached.find((n) => region.failing.has(n));
  return node && `${describe(node.origin)}: ${region.failing.get(node)}`;
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
