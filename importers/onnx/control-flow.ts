import { type Dim, same } from '../../src/ir/dim.js';
import { emit, type Value } from '../../src/ir/graph.js';
import type { OpaqueType, ValueType } from '../../src/ir/type.js';
import type { Graph as GraphProto } from '../../src/onnx/types.js';
import { if_, loop, scan } from '../../src/ops/control-flow.js';
import { attributeOf } from './attributes.js';
import { type Body, closeBodies, importBody, outside } from './bodies.js';
import type { OpenType } from './context.js';
import { declaredTypes, openTypeOf, withResults } from './declared.js';
import { importGraph } from './graph.js';
import { didYouMean, Malformed } from './malformed.js';
import type { Site } from './nodes.js';
import { Scope } from './scope.js';
import { opaque, unknownType } from './type-proto.js';

type Open = OpenType | OpaqueType;

/** Imports If, Loop and Scan with their bodies; undefined for any other operator. */
export function controlFlow(site: Site): readonly Value[] | undefined {
  switch (site.node.opType) {
    case 'If':
      return importIf(site);
    case 'Loop':
      return importLoop(site);
    case 'Scan':
      // Before version 9 a Scan had a batch axis; it stays foreign.
      return site.opset < 9 ? undefined : importScan(site);
    default:
      return undefined;
  }
}

function graphAttribute({ attributes }: Site, name: string): GraphProto {
  const proto = attributeOf(attributes, name, 'graph')?.g;
  if (!proto)
    throw new Malformed(
      'missing-attribute',
      `the graph "${name}" is missing`,
      didYouMean(name, attributes.keys()),
    );
  return proto;
}

function inputOf({ inputs }: Site, i: number): Value {
  const v = inputs[i];
  if (!v) throw new Malformed('missing-input', `input ${i} is missing`);
  return v;
}

function expectResults({ node }: Site, count: number): void {
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

function importIf(site: Site): readonly Value[] {
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

/** Where the bodies do not tell a result's type, its declaration does. */
function declaredOr(site: Site, types: readonly Open[]): readonly Open[] {
  return types.map((t, i) =>
    t.kind === 'open' ? t : (openTypeOf(site.scope.declared.get(site.node.output[i] ?? ''), site.ctx) ?? t),
  );
}

/** What holds for a value that is either of two. */
function common(a: Open, b: Open): Open {
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
const stateType = (t: ValueType): Open =>
  t.kind === 'opaque' ? t : { kind: 'open', dtype: t.dtype, dims: t.shape.map(() => undefined) };

const rankOf = (t: ValueType): number | undefined => (t.kind === 'tensor' ? t.shape.length : undefined);

/** Imports a body with states; where its results do not have the ranks assumed for the states, without assuming any. */
function importWithStates(
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
  if (keeps.every(Boolean)) return body;
  const changed = formals.map(
    (t, i): Open => (t.kind === 'open' && keeps[i - first] === false ? opaque(`${t.dtype}[*]`) : t),
  );
  const undeclared = { ...proto, input: proto.input.map((v) => ({ ...v, type: undefined })) };
  return importBody(ctx, undeclared, scope, frame, changed, true);
}

function importLoop(site: Site): readonly Value[] {
  const { ctx, scope, inputs, origin } = site;
  const [count, condition, ...rest] = inputs;
  const states = rest.map((_, i) => inputOf(site, i + 2));
  const scalar = (dtype: 'i64' | 'bool'): Open => ({ kind: 'open', dtype, dims: [] });
  const proto = graphAttribute(site, 'body');
  const formals = [scalar('i64'), scalar('bool'), ...states.map((v) => stateType(v.type))];
  const body = importWithStates(site, proto, formals, 2, states.length, 1);
  expectResults(site, body.outputs.length - 1);
  const types = body.outputs.slice(1).map((v, i): Open => {
    const after = outside(v.type, body.internal);
    const before = states[i];
    if (before) return common(outside(before.type, new Set()), after);
    return after.kind === 'opaque' ? after : { ...after, dims: [undefined, ...after.dims] };
  });
  const { graphs, captured } = closeBodies(ctx, [body], origin);
  return ctx.settle(
    declaredOr(site, types),
    hint(site),
    scope.region,
    (outputs) =>
      emit(
        loop,
        [...[count, condition].filter((v) => v !== undefined), ...states, ...captured],
        {
          body: graphs[0]!,
          hasCount: count !== undefined,
          hasCondition: condition !== undefined,
          captured: captured.length,
          outputs,
        },
        origin,
      ).outputs,
    origin,
  );
}

function importScan(site: Site): readonly Value[] {
  const { ctx, attributes, scope, inputs, origin } = site;
  const given = inputs.map((_, i) => inputOf(site, i));
  const scanned = Number(attributeOf(attributes, 'num_scan_inputs', 'int')?.i ?? 0n);
  if (scanned < 1 || scanned > given.length)
    throw new Malformed('bad-attribute', `num_scan_inputs is ${scanned} for ${given.length} inputs`);
  const states = given.length - scanned;
  const list = (name: string, length: number): readonly number[] => {
    const values = attributeOf(attributes, name, 'ints')?.ints.map(Number) ?? [];
    return Array.from({ length }, (_, i) => values[i] ?? 0);
  };
  const inputAxes = list('scan_input_axes', scanned);
  const formals = given.map((v, i) =>
    i < states ? stateType(v.type) : sliceType(v.type, inputAxes[i - states]!),
  );
  const body = importWithStates(site, graphAttribute(site, 'body'), formals, 0, states, 0);
  expectResults(site, body.outputs.length);
  const stacked = body.outputs.length - states;
  const length = extent(given[states]!.type, inputAxes[0]!);
  const outputAxes = list('scan_output_axes', stacked);
  const types = body.outputs.map((v, i): Open => {
    const after = outside(v.type, body.internal);
    if (i < states) return common(outside(given[i]!.type, new Set()), after);
    return after.kind === 'opaque'
      ? after
      : { ...after, dims: inserted(after.dims, outputAxes[i - states]!, length) };
  });
  const { graphs, captured } = closeBodies(ctx, [body], origin);
  return ctx.settle(
    declaredOr(site, types),
    hint(site),
    scope.region,
    (outputs) =>
      emit(
        scan,
        [...given, ...captured],
        {
          body: graphs[0]!,
          scanned,
          inputAxes,
          inputDirections: list('scan_input_directions', scanned),
          outputAxes,
          outputDirections: list('scan_output_directions', stacked),
          captured: captured.length,
          outputs,
        },
        origin,
      ).outputs,
    origin,
  );
}

function sliceType(t: ValueType, axis: number): Open {
  if (t.kind === 'opaque') return unknownType;
  const at = axis < 0 ? axis + t.shape.length : axis;
  return { kind: 'open', dtype: t.dtype, dims: t.shape.filter((_, i) => i !== at) };
}

const extent = (t: ValueType, axis: number): Dim | undefined =>
  t.kind === 'tensor' ? t.shape.at(axis) : undefined;

function inserted(dims: OpenType['dims'], axis: number, extent: Dim | undefined): OpenType['dims'] {
  const at = axis < 0 ? axis + dims.length + 1 : axis;
  return [...dims.slice(0, at), extent, ...dims.slice(at)];
}
