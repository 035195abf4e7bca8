import { emit, type Graph, type Value } from '../../src/ir/graph.js';
import type { OpaqueType, ValueType } from '../../src/ir/type.js';
import type { Graph as GraphProto } from '../../src/onnx/types.js';
import { foreign } from '../../src/ops/foreign.js';
import { closeBodies, importBody } from './bodies.js';
import type { Context, OpenType } from './context.js';
import { openTypeOf } from './declared.js';
import { foreignAttribute } from './foreign-attributes.js';
import { domainOf } from './frame.js';
import { literalOfTensor } from './literals.js';
import type { Site } from './nodes.js';
import type { Scope } from './scope.js';
import { dtypeOfProto, isUnknown, opaque, unknownType } from './type-proto.js';
import { ResultTypes } from './type-question.js';

/** Operators whose first result has the type of their first input. */
const keepsType = new Set(
  (
    'Identity Dropout Relu Sigmoid Tanh Softmax LogSoftmax Hardmax LeakyRelu PRelu Elu Selu Celu Abs Neg Exp Log ' +
    'Sqrt Floor Ceil Round Sin Cos Erf Clip LRN Mish Gelu BatchNormalization InstanceNormalization ' +
    'LayerNormalization GroupNormalization CumSum ReverseSequence ScatterElements ScatterND Trilu'
  ).split(' '),
);

/** Operators whose result has the shape of the first input, and the element type of an attribute. */
const keepsShape = new Set(['Bernoulli', 'EyeLike', 'RandomNormalLike', 'RandomUniformLike']);

/**
 * Keeps a node as the model has it. Its results have the types that the model declares. One that contradicts its
 * operator's definition, and that onnxruntime does not load for these inputs either, is noted as failing.
 */
export function foreignNode(site: Site, reason: string, contradicts = false): readonly Value[] {
  const { ctx, node, scope, frame, inputs, attributes, opset, origin } = site;
  const protos = [...attributes.values()].flatMap((a) => (a.g ? [a.g, ...a.graphs] : a.graphs));
  const closed = closeBodies(
    ctx,
    protos.map((g) => importBody(ctx, g, scope, frame, [])),
    origin,
  );
  const graphs = new Map<GraphProto, Graph>(protos.map((g, i) => [g, closed.graphs[i]!]));
  const given = [...inputs.filter((v) => v !== undefined), ...closed.captured];
  const attrs = {
    domain: domainOf(node.domain),
    opType: node.opType,
    overload: node.overload,
    opset,
    attributes: [...attributes.values()].map((a) =>
      foreignAttribute(
        a,
        (g) => graphs.get(g)!,
        (t) => literalOfTensor(t, ctx.baseDir),
      ),
    ),
    absent: inputs.flatMap((v, i) => (v ? [] : [i])),
    captured: closed.captured.length,
    unnamed: node.output.flatMap((name, i) => (name === '' ? [i] : [])),
    reason,
  };
  const told = node.output.map((_, i) => resultType(site, i));
  const asks = ctx.asks && (contradicts || told.some(isOpen));
  const results = asks
    ? ResultTypes.of(given, { ...attrs, outputs: told.map(() => unknownType) })
    : undefined;
  const answer = results && ctx.answer(results.question);
  const found = answer ? results.read(answer) : [];
  const values = ctx.settle(
    told.map((t, i) => (isOpen(t) ? (found[i] ?? t) : t)),
    (i) => node.output[i] || `${origin.name}_${i}`,
    scope.region,
    (outputs) => emit(foreign, given, { ...attrs, outputs }, origin).outputs,
    origin,
  );
  if (contradicts && answer?.length === 0) scope.region.failing.set(values[0]!.node, reason);
  return values;
}

/** The same value, with the type that the model declares for it where nothing else tells one. */
export function withDeclaredType(ctx: Context, v: Value, name: string, scope: Scope, opset: number): Value {
  const declared = openTypeOf(scope.declared.get(name), ctx);
  if (v.type.kind === 'tensor' || !isOpen(v.type) || declared?.kind !== 'open') return v;
  const attrs = {
    domain: '',
    opType: 'Identity',
    overload: '',
    opset,
    attributes: [],
    absent: [],
    captured: 0,
    unnamed: [],
    reason: 'it gives a value its declared type',
  };
  const { origin } = v.node;
  const make = (outputs: readonly ValueType[]) => emit(foreign, [v], { ...attrs, outputs }, origin).outputs;
  return ctx.settle([declared], () => name, scope.region, make, origin)[0]!;
}

/** A tensor of unknown rank, or a value of which nothing is known. */
const isOpen = (t: OpenType | OpaqueType): boolean =>
  t.kind === 'opaque' && (isUnknown(t) || t.text.endsWith('[*]'));

function resultType({ ctx, node, scope, inputs, attributes }: Site, i: number): OpenType | OpaqueType {
  const name = node.output[i]!;
  if (name === '') return opaque('unused');
  const declared = openTypeOf(scope.declared.get(name), ctx);
  if (declared?.kind === 'open') return declared;
  const first = inputs[0]?.type;
  if (i > 0 || first?.kind !== 'tensor' || domainOf(node.domain) !== '') return declared ?? unknownType;
  if (keepsType.has(node.opType)) return { kind: 'open', dtype: first.dtype, dims: first.shape };
  if (keepsShape.has(node.opType)) {
    const given = attributes.get('dtype')?.i;
    const dtype = given === undefined ? first.dtype : dtypeOfProto(Number(given));
    if (dtype) return { kind: 'open', dtype, dims: first.shape };
  }
  return declared ?? unknownType;
}
