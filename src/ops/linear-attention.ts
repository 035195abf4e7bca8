import { type Dim, floordiv, mul, type Shape, symbol } from '../ir/dim.js';
import { arg, call, type Expr, constant as konst } from '../ir/expr.js';
import { emit, type Graph, graph, inputValue, type Node, shapeOf, type Value } from '../ir/graph.js';
import { showType, type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { matmul } from './matmul.js';
import { dtype as dtypeAttr, int, ints, type OnnxEmitter } from './onnx-emitter.js';
import { type Build, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';
import { pointwise } from './pointwise.js';
import { transpose } from './transpose.js';

export type LinearAttentionAttrs = {
  readonly queryHeads: number;
  readonly keyHeads: number;
  readonly scale: number;
  /** Which of the optional inputs follow queries, keys and values, in this order. */
  readonly past: boolean;
  readonly decay: boolean;
  readonly beta: boolean;
};

/** Extents of a node: batch, steps, and the sizes of a key and of a value of one head. */
export const linearExtents = (
  [q, , v]: readonly TensorType[],
  a: LinearAttentionAttrs,
): { readonly batch: Dim; readonly steps: Dim; readonly key: Dim; readonly value: Dim } => ({
  batch: q!.shape[0]!,
  steps: q!.shape[1]!,
  key: floordiv(q!.shape[2]!, a.queryHeads),
  value: floordiv(v!.shape[2]!, a.keyHeads),
});

/**
 * Attention as a recurrence. For each key head and step: the state [key, value] is scaled by exp(decay); the
 * value, with beta replaced by beta * (value - stateᵀ key), is added at the key; the results are the queries'
 * products with the state. Queries, keys and values are [B, T, heads * size]; decay [B, T, heads] or
 * [B, T, heads * key], beta [B, T, heads] or [B, T, 1]. Also yields the last state.
 */
export const linearAttention: OpDef<LinearAttentionAttrs> = defineOp({
  name: 'linear_attention',

  infer: (inputs, attrs) => {
    const dtype = sameDtype('linear attention', inputs.slice(0, 3));
    if (inputs.slice(0, 3).some((t) => t.shape.length !== 3))
      throw new CompileError('bad-shape', `linear attention does not take ${showType(inputs[0]!)}`);
    const { batch, steps, key, value } = linearExtents(inputs, attrs);
    const state = [batch, attrs.keyHeads, key, value];
    return [
      tensor(dtype, [batch, steps, mul(attrs.queryHeads, value)]),
      tensor(attrs.past ? inputs[3]!.dtype : dtype, state),
    ];
  },

  onnx: { LinearAttention: { 27: convert } },

  toOnnx: (node, inputs, e) => asScan(node, inputs, e),
});

function convert(n: SourceNode, b: Build): readonly Value[] {
  const [q, k, v] = [n.input(0), n.input(1), n.input(2)];
  const [past, decay, beta] = [n.optional(3), n.optional(4), n.optional(5)];
  const heads = n.int('q_num_heads');
  const size = floordiv(shapeOf(q)[2]!, heads);
  const given = n.float('scale', 0);
  if (given === 0 && typeof size !== 'number')
    n.decline('the size of a head is not known before the model runs');
  const more = [past, decay, beta].filter((x) => x !== undefined);
  return b.all(linearAttention, [q, k, v, ...more], {
    queryHeads: heads,
    keyHeads: n.int('kv_num_heads'),
    scale: given === 0 ? 1 / Math.sqrt(Number(size)) : given,
    past: past !== undefined,
    decay: decay !== undefined,
    beta: beta !== undefined,
  });
}

/** The recurrence as an ONNX Scan over the steps. */
function asScan(
  { attrs: a, inputs: values }: Node<LinearAttentionAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): readonly string[] {
  const types = values.map((v) => v.type as TensorType);
  const { batch, steps, key, value } = linearExtents(types, a);
  const groups = a.queryHeads / a.keyHeads;
  const f32 = (name: string, i: number): string =>
    types[i]!.dtype === 'f32' ? name : e.one('Cast', [name], { to: dtypeAttr('f32') });
  const shaped = (i: number, shape: Shape): string =>
    e.one('Reshape', [f32(inputs[i]!, i), e.dims([batch, steps, ...shape])]);
  let at = 3;
  const state = a.past
    ? f32(inputs[at]!, at++)
    : e.one('Expand', [e.constant('f32', [], [0]), e.dims([batch, a.keyHeads, key, value])]);
  const scanned = [
    shaped(0, [a.keyHeads, groups, key]),
    shaped(1, [a.keyHeads, 1, key]),
    shaped(2, [a.keyHeads, 1, value]),
  ];
  const decayed = a.decay ? floordiv(types[at]!.shape[2]!, a.keyHeads) : 1;
  if (a.decay) scanned.push(shaped(at++, [a.keyHeads, decayed, 1]));
  const betaHeads = a.beta ? types[at]!.shape[2]! : 1;
  if (a.beta) scanned.push(shaped(at++, [betaHeads, 1, 1]));
  const count = scanned.length;
  const [last, out] = e.node(
    'Scan',
    [state, ...scanned],
    {
      body: { kind: 'graph', value: stepBody(a, { key, value, groups, decayed, betaHeads }), captured: [] },
      num_scan_inputs: int(count),
      scan_input_axes: ints(scanned.map(() => 1)),
      scan_output_axes: ints([1]),
    },
    2,
  );
  const results = node(a, types);
  const back = (name: string, t: TensorType): string =>
    t.dtype === 'f32' ? name : e.one('Cast', [name], { to: dtypeAttr(t.dtype) });
  const y = e.one('Reshape', [out, e.dims(results[0]!.shape)]);
  return [back(y, results[0]!), back(last!, results[1]!)];
}

const node = (a: LinearAttentionAttrs, types: readonly TensorType[]): readonly TensorType[] =>
  linearAttention.infer(types, a) as readonly TensorType[];

interface StepExtents {
  readonly key: Dim;
  readonly value: Dim;
  readonly groups: number;
  readonly decayed: Dim;
  readonly betaHeads: Dim;
}

/** One step: the state and the step's slices to the new state and the step's results. */
function stepBody(a: LinearAttentionAttrs, s: StepExtents): Graph {
  const origin = { format: 'pass', name: 'step' } as const;
  const known = (d: Dim, name: string): Dim => (typeof d === 'number' ? d : symbol(name, 1));
  const [batch, key, value] = [symbol('batch', 1), known(s.key, 'key'), known(s.value, 'value')];
  const take = (name: string, ...shape: Shape): Value =>
    inputValue(name, tensor('f32', [batch, ...shape]), origin);
  const [state, q, k, v] = [
    take('state', a.keyHeads, key, value),
    take('query', a.keyHeads, s.groups, key),
    take('key', a.keyHeads, 1, key),
    take('value', a.keyHeads, 1, value),
  ];
  const decay = a.decay ? [take('decay', a.keyHeads, s.decayed === 1 ? 1 : key, 1)] : [];
  const beta = a.beta ? [take('beta', s.betaHeads === 1 ? 1 : a.keyHeads, 1, 1)] : [];
  const maths = (expr: Expr, ...inputs: readonly Value[]): Value =>
    emit(pointwise, inputs, { expr }, origin).outputs[0]!;
  const product = (x: Value, y: Value): Value =>
    emit(matmul, [x, y], { transA: false, transB: false }, origin).outputs[0]!;
  const faded = decay[0] ? maths(call('mul', arg(0), call('exp', arg(1))), state, decay[0]) : state;
  const written = beta[0]
    ? maths(call('mul', arg(2), call('sub', arg(0), arg(1))), v, product(k, faded), beta[0])
    : v;
  const column = emit(transpose, [k], { perm: [0, 1, 3, 2] }, origin).outputs[0]!;
  const next = maths(call('add', arg(0), call('mul', arg(1), arg(2))), faded, column, written);
  const y = maths(call('mul', arg(0), konst(a.scale, 'f32')), product(q, next));
  return graph([state, q, k, v, ...decay, ...beta], [next, y], ['next', 'result']);
}
