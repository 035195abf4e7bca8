import { same } from '../../src/ir/dim.js';
import { emit, type Graph, type Value } from '../../src/ir/graph.js';
import type { OpaqueType, ValueType } from '../../src/ir/type.js';
import type { Graph as GraphProto } from '../../src/onnx/types.js';
import type { OpDef } from '../../src/ops/op.js';
import { attributeOf } from './attributes.js';
import { type Body, closeBodies, importBody } from './bodies.js';
import type { OpenType } from './context.js';
import { openTypeOf } from './declared.js';
import { didYouMean, Malformed } from './malformed.js';
import type { Site } from './nodes.js';
import { opaque, unknownType } from './type-proto.js';

/** What is known of a type that holds in every iteration, or whichever branch is taken. */
export type Open = OpenType | OpaqueType;

export function graphAttribute({ attributes }: Site, name: string): GraphProto {
  const proto = attributeOf(attributes, name, 'graph')?.g;
  if (!proto)
    throw new Malformed(
      'missing-attribute',
      `the graph "${name}" is missing`,
      didYouMean(name, attributes.keys()),
    );
  return proto;
}

export function inputOf({ inputs }: Site, i: number): Value {
  const v = inputs[i];
  if (!v) throw new Malformed('missing-input', `input ${i} is missing`);
  return v;
}

export function expectResults({ node }: Site, count: number): void {
  if (node.output.length > count)
    throw new Malformed(
      'bad-body',
      `the node has ${node.output.length} results but its body yields ${count}`,
    );
}

const hint =
  ({ node, origin }: Site) =>
  (i: number): string =>
    node.output[i] || `${origin.name}_${i}`;

/** Where the bodies do not tell a result's type, its declaration does. */
function declaredOr(site: Site, types: readonly Open[]): readonly Open[] {
  return types.map((t, i) =>
    t.kind === 'open' ? t : (openTypeOf(site.scope.declared.get(site.node.output[i] ?? ''), site.ctx) ?? t),
  );
}

/**
 * Makes the node of a control-flow operator over the bodies it runs. `types` are those of its results as the bodies
 * tell them.
 */
export function emitWithBodies<
  A extends { readonly captured: number; readonly outputs: readonly ValueType[] },
>(
  site: Site,
  op: OpDef<A>,
  inputs: readonly Value[],
  bodies: readonly Body[],
  types: readonly Open[],
  attrsOf: (graphs: readonly Graph[]) => Omit<A, 'captured' | 'outputs'>,
): readonly Value[] {
  const { ctx, scope, origin } = site;
  const { graphs, captured } = closeBodies(ctx, bodies, origin);
  const own = { ...attrsOf(graphs), captured: captured.length };
  const make = (outputs: readonly ValueType[]): readonly Value[] =>
    emit(op, [...inputs, ...captured], { ...own, outputs } as unknown as A, origin).outputs;
  return ctx.settle(declaredOr(site, types), hint(site), scope.region, make, origin);
}

/** What holds for a value that is either of two. */
export function common(a: Open, b: Open): Open {
  if (a.kind === 'opaque' || b.kind === 'opaque')
    return a.kind === b.kind && (a as OpaqueType).text === (b as OpaqueType).text ? a : unknownType;
  if (a.dtype !== b.dtype) return unknownType;
  if (a.dims.length !== b.dims.length) return opaque(`${a.dtype}[*]`);
  const dims = a.dims.map((d, i) => {
    const other = b.dims[i];
    return d !== undefined && other !== undefined && same(d, other) ? d : undefined;
  });
  return { kind: 'open', dtype: a.dtype, dims };
}

/** A state's type inside the body: its extents may change from one iteration to the next. */
export const stateType = (t: ValueType): Open =>
  t.kind === 'opaque' ? t : { kind: 'open', dtype: t.dtype, dims: t.shape.map(() => undefined) };

const rankOf = (t: ValueType): number | undefined => (t.kind === 'tensor' ? t.shape.length : undefined);

/** Whether a state can have the extents declared for it in every iteration: exporters write those of the first. */
const repeats = (before: ValueType, after: ValueType): boolean =>
  before.kind !== 'tensor' ||
  after.kind !== 'tensor' ||
  before.shape.every((d, i) => {
    const next = after.shape[i];
    return typeof d !== 'number' || (typeof next === 'number' ? next === d : d !== 0);
  });

/** Imports a body with states; where its results do not have the types assumed for the states, without assuming any. */
export function importWithStates(
  site: Site,
  proto: GraphProto,
  formals: readonly Open[],
  first: number,
  states: number,
  resultOffset: number,
): Body {
  const { ctx, scope, frame } = site;
  const body = importBody(ctx, proto, scope, frame, formals);
  if (body.outputs.length < states + resultOffset || body.inputs.length < formals.length)
    throw new Malformed(
      'bad-body',
      `the body takes ${body.inputs.length} values and yields ${body.outputs.length}, too few for ${states} states`,
    );
  const keeps = Array.from({ length: states }, (_, i) => {
    const before = body.inputs[first + i]!.type;
    return rankOf(before) === rankOf(body.outputs[resultOffset + i]!.type) || before.kind === 'opaque';
  });
  const asDeclared = keeps.every((_, i) =>
    repeats(body.inputs[first + i]!.type, body.outputs[resultOffset + i]!.type),
  );
  if (keeps.every(Boolean) && asDeclared) return body;
  const changed = formals.map(
    (t, i): Open => (t.kind === 'open' && keeps[i - first] === false ? opaque(`${t.dtype}[*]`) : t),
  );
  const undeclared = { ...proto, input: proto.input.map((v) => ({ ...v, type: undefined })) };
  return importBody(ctx, undeclared, scope, frame, changed, true);
}
