import { add, broadcast, type Dim, floordiv, mul, type Shape, sameShape, sub } from '../ir/dim.js';
import { shapeOf } from '../ir/graph.js';
import { isFloat, showType, type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { convertAttention } from './attention-onnx.js';
import { int, ints, type OnnxEmitter } from './onnx-emitter.js';
import { defineOp, type OpDef, sameDtype } from './op.js';

/** Which keys a query sees: key j and query i with i + offset - left <= j <= i + offset + right. */
export type AttentionWindow = {
  readonly offset: Dim;
  readonly left?: number | undefined;
  readonly right?: number | undefined;
};

export type AttentionAttrs = {
  readonly scale: number;
  /** Scores become softcap * tanh(score / softcap); 0 leaves them. */
  readonly softcap: number;
  readonly window?: AttentionWindow | undefined;
};

/**
 * softmax(scale * Q Kᵀ + bias) V for queries [B, H, L, D], keys [B, G, S, D] and values [B, G, S, E], where
 * H / G neighbouring query heads share a key head. The optional bias broadcasts to [B, H, L, S]. A query that
 * the window and biases of -inf leave no key yields zeros.
 */
export const attention: OpDef<AttentionAttrs> = defineOp({
  name: 'attention',

  infer: ([q, k, v, bias]) => {
    const dtype = sameDtype('attention', bias ? [q!, k!, v!, bias] : [q!, k!, v!]);
    if (!isFloat(dtype)) throw new CompileError('type-mismatch', `attention does not take ${dtype}`);
    if ([q!, k!, v!].some((t) => t.shape.length !== 4))
      throw new CompileError('bad-shape', 'attention takes tensors of four axes');
    const scores = scoreShape(q!, k!);
    const [heads, groups] = [q!.shape[1]!, k!.shape[1]!];
    if (typeof heads === 'number' && typeof groups === 'number' && heads % groups !== 0)
      throw new CompileError('bad-heads', `${heads} query heads do not share ${groups} key heads evenly`);
    if (bias) {
      const shape = broadcast(scores, bias.shape);
      if (!shape || !sameShape(shape, scores))
        throw new CompileError('bad-broadcast', `${showType(bias)} does not broadcast to the scores`);
    }
    return tensor(dtype, [...q!.shape.slice(0, 3), v!.shape[3]!]);
  },

  onnx: { Attention: { 23: convertAttention } },

  toOnnx: ({ attrs, inputs }, [q, k, v, bias], e) => {
    const t = inputs[0]!.type as TensorType;
    const [batch, heads, rows, depth] = t.shape as readonly [Dim, Dim, Dim, Dim];
    const [, groups, keys] = shapeOf(inputs[1]!) as readonly [Dim, Dim, Dim, Dim];
    const width = shapeOf(inputs[2]!)[3]!;
    const like = (x: number): string => e.one('Cast', [e.constant('f32', [], [x])], castTo(t));
    const reshape = (x: string, shape: Shape): string =>
      e.one('Reshape', [x, e.dims(shape)], { allowzero: int(1) });
    const perGroup = floordiv(heads, groups);
    const grouped = reshape(q!, [batch, groups, perGroup, rows, depth]);
    const columns = e.one('Transpose', [reshape(k!, [batch, groups, 1, keys, depth])], {
      perm: ints([0, 1, 2, 4, 3]),
    });
    let scores = e.one('Mul', [e.one('MatMul', [grouped, columns]), like(attrs.scale)]);
    if (attrs.softcap > 0) {
      const cap = like(attrs.softcap);
      scores = e.one('Mul', [e.one('Tanh', [e.one('Div', [scores, cap])]), cap]);
    }
    scores = reshape(scores, [batch, heads, rows, keys]);
    const masks = [bias, attrs.window && windowBias(attrs.window, rows, keys, like, e)].filter(
      (m) => m !== undefined,
    );
    for (const m of masks) scores = e.one('Add', [scores, m]);
    let shares = e.one('Softmax', [scores], { axis: int(-1) });
    if (masks.length > 0) {
      const all = masks.reduce((a, m) => e.one('Add', [a, m]));
      const best = e.one('ReduceMax', [all, e.constant('i64', [1], [-1])], { keepdims: int(1) });
      const none = e.one('Equal', [best, like(Number.NEGATIVE_INFINITY)]);
      shares = e.one('Where', [none, like(0), shares]);
    }
    const wide = reshape(shares, [batch, groups, perGroup, rows, keys]);
    const out = e.one('MatMul', [wide, reshape(v!, [batch, groups, 1, keys, width])]);
    return reshape(out, [batch, heads, rows, width]);
  },
});

const castTo = (t: TensorType) => ({ to: { kind: 'dtype', value: t.dtype } }) as const;

export const scoreShape = (q: TensorType, k: TensorType): Shape => [...q.shape.slice(0, 3), k.shape[2]!];

/** The floating-point operations of the two products. */
export const attentionWork = (q: Shape, k: Shape, v: Shape): Dim =>
  mul(2, q[0]!, q[1]!, q[2]!, k[2]!, add(q[3]!, v[3]!));

function windowBias(
  w: AttentionWindow,
  rows: Dim,
  keys: Dim,
  like: (x: number) => string,
  e: OnnxEmitter,
): string {
  const range = (n: Dim): string => e.one('Range', [e.dim(0), e.dim(n), e.dim(1)]);
  const i = e.one('Unsqueeze', [range(rows), e.constant('i64', [1], [1])]);
  const distance = e.one('Sub', [e.one('Sub', [range(keys), i]), e.dim(w.offset)]);
  const limits = [
    w.right === undefined ? undefined : e.one('LessOrEqual', [distance, e.dim(w.right)]),
    w.left === undefined ? undefined : e.one('GreaterOrEqual', [distance, e.dim(sub(0, w.left))]),
  ].filter((x) => x !== undefined);
  const seen = limits.reduce((a, b) => e.one('And', [a, b]));
  return e.one('Where', [seen, like(0), like(Number.NEGATIVE_INFINITY)]);
}
