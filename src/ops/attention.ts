import { add, broadcast, type Dim, mul, type Shape, sameShape } from '../ir/dim.js';
import { isFloat, showType, type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { convertAttention } from './attention-onnx.js';
import { type AttentionParts, operandShapes, partToOnnx } from './attention-parts.js';
import { attentionToOnnx } from './attention-to-onnx.js';
import { flexAttention } from './flex-attention.js';
import { multiHeadAttention, packedAttention } from './microsoft-attention.js';
import { defineOp, type OpDef, sameDtype } from './op.js';
import { rotaryEmbedding } from './rotary-embedding.js';

/** Which keys a query sees: key j and query i with i + offset - left <= j <= i + offset + right. */
export type AttentionWindow = {
  /** Absent where lengths are given: then it is a sample's length less the number of queries. */
  readonly offset?: Dim | undefined;
  readonly left?: number | undefined;
  readonly right?: number | undefined;
};

export type AttentionAttrs = {
  readonly scale: number;
  /** Scores become softcap * tanh(score / softcap); 0 leaves them. */
  readonly softcap: number;
  readonly window?: AttentionWindow | undefined;
  /** Whether there is a mask, and whether there are lengths, among the inputs. */
  readonly mask: boolean;
  readonly lengths: boolean;
  /** Of q, k, v and the result: whether rows come before heads, [B, L, H, D] instead of [B, H, L, D]. */
  readonly rowsFirst: readonly [boolean, boolean, boolean, boolean];
  /** Which of q, k and v are parts of the tensors among the inputs. */
  readonly parts?: AttentionParts | undefined;
};

/** Extents as [B, H, L, D]. */
export const headsFirst = (shape: Shape, rowsFirst: boolean): Shape =>
  rowsFirst ? [shape[0]!, shape[2]!, shape[1]!, shape[3]!] : shape;

/**
 * softmax(scale * Q Kᵀ) V for queries [B, H, L, D], keys [B, G, S, D] and values [B, G, S, E], where H / G
 * neighbouring query heads share a key head. A mask, broadcast to [B, H, L] but for its last axis, is added to
 * the scores, or, if boolean, tells which keys take part; keys beyond its last axis do not. Lengths [B] are
 * the numbers of keys that count. A query that is left no key yields zeros.
 */
export const attention: OpDef<AttentionAttrs> = defineOp({
  name: 'attention',

  infer: ([q, k, v, ...more], attrs) => {
    const dtype = sameDtype('attention', [q!, k!, v!]);
    if (!isFloat(dtype)) throw new CompileError('type-mismatch', `attention does not take ${dtype}`);
    const shapes = operandShapes(
      [q!, k!, v!].map((t) => t.shape),
      attrs.parts,
    );
    if (shapes.some((s) => s.length !== 4))
      throw new CompileError('bad-shape', 'attention takes tensors of four axes');
    const [qs, ks, vs] = shapes.map((s, i) => headsFirst(s, attrs.rowsFirst[i]!));
    const [heads, groups] = [qs![1]!, ks![1]!];
    if (typeof heads === 'number' && typeof groups === 'number' && heads % groups !== 0)
      throw new CompileError('bad-heads', `${heads} query heads do not share ${groups} key heads evenly`);
    if (attrs.mask) requireMask(more[0]!, q!, qs!.slice(0, 3));
    if (attrs.lengths && more[Number(attrs.mask)]?.dtype !== 'i64')
      throw new CompileError('type-mismatch', 'the lengths are not int64');
    if (attrs.window && attrs.lengths !== (attrs.window.offset === undefined))
      throw new CompileError('bad-window', 'a window counts from an offset or from lengths');
    return tensor(dtype, headsFirst([...qs!.slice(0, 3), vs![3]!], attrs.rowsFirst[3]));
  },

  onnx: {
    Attention: { 23: convertAttention },
    RotaryEmbedding: { 23: rotaryEmbedding },
    'ai.onnx.preview::FlexAttention': { 1: flexAttention },
    'com.microsoft::MultiHeadAttention': { 1: multiHeadAttention },
    'com.microsoft::Attention': { 1: packedAttention },
  },

  toOnnx: (node, inputs, e) => {
    const named = inputs.map((name, i) => {
      const part = i < 3 ? node.attrs.parts?.[i] : undefined;
      return part ? partToOnnx(name, part, e) : name;
    });
    return attentionToOnnx(node, named, e);
  },
});

function requireMask(mask: TensorType, q: TensorType, rows: Shape): void {
  const shape = broadcast(rows, mask.shape.slice(0, -1));
  if (
    (mask.dtype !== 'bool' && mask.dtype !== q.dtype) ||
    mask.shape.length === 0 ||
    !shape ||
    !sameShape(shape, rows)
  )
    throw new CompileError('bad-broadcast', `${showType(mask)} is no mask of ${showType(q)}`);
}

/** The floating-point operations of the two products. */
export const attentionWork = (q: Shape, k: Shape, v: Shape): Dim =>
  mul(2, q[0]!, q[1]!, q[2]!, k[2]!, add(q[3]!, v[3]!));
