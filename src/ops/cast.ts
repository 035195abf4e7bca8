import { arg, cast as castExpr } from '../ir/expr.js';
import { dtypeOf, type Value } from '../ir/graph.js';
import { bitsOf, type DType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { dtypeAttr, dtypeOfName } from './onnx-dtype.js';
import { dtype, int, text } from './onnx-emitter.js';
import { type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';

/** How a number between two powers of two becomes f8e8m0. */
export type RoundMode = 'up' | 'down' | 'nearest';

const roundMode = (s: string): RoundMode => {
  if (s === 'up' || s === 'down' || s === 'nearest') return s;
  throw new CompileError('bad-attribute', `"${s}" is not a rounding mode`);
};

export type CastAttrs = { readonly to: DType; readonly saturate: boolean; readonly round: RoundMode };

/** A cast to f8e8m0 that does not round up, which scalar expressions do not have. */
export const cast: OpDef<CastAttrs> = defineOp({
  name: 'cast',

  infer: ([x], { to }) => tensor(to, x!.shape),

  onnx: {
    Cast: {
      1: (n, b) => convert(n, b, dtypeOfName(n.string('to'))),
      6: (n, b) => convert(n, b, dtypeAttr(n, 'to') ?? n.decline('it does not say to which type')),
    },
    CastLike: { 15: (n, b) => convert(n, b, dtypeOf(n.input(1))) },
  },

  toOnnx: ({ attrs }, [x], e) =>
    e.one('Cast', [x], {
      to: dtype(attrs.to),
      ...(attrs.to.startsWith('f8') ? { saturate: int(attrs.saturate) } : {}),
      ...(attrs.to === 'f8e8m0' ? { round_mode: text(attrs.round) } : {}),
    }),
});

function convert(n: SourceNode, b: Build, to: DType): Value {
  const v = n.input(0);
  const from = dtypeOf(v);
  if (from === 'string' || to === 'string')
    n.decline('there is no kernel that reads or writes numbers as text');
  if (from === to) return v;
  const saturate = n.int('saturate', 1) === 1;
  const round = to === 'f8e8m0' ? roundMode(n.string('round_mode', 'up')) : 'up';
  return castTo(b, v, to, saturate, round);
}

/** A value as another element type. */
export function castTo(b: Build, v: Value, to: DType, saturate = true, round: RoundMode = 'up'): Value {
  const from = dtypeOf(v);
  if (from === to) return v;
  return round !== 'up'
    ? b(cast, [v], { to, saturate, round })
    : b(pointwise, [v], { expr: castExpr(to, arg(0), saturate) });
}

/** The same bits as another element type of the same width. */
export const bitcast: OpDef<{ to: DType }> = defineOp({
  name: 'bitcast',

  infer: ([x], { to }) => {
    if (bitsOf[x!.dtype] !== bitsOf[to])
      throw new CompileError('type-mismatch', `${x!.dtype} and ${to} differ in width`);
    return tensor(to, x!.shape);
  },

  onnx: {
    BitCast: {
      26: ((n, b) => {
        const to = dtypeAttr(n, 'to')!;
        const from = dtypeOf(n.input(0));
        // Of the bytes that a truth value can have, only 0 and 1 may be stored.
        if (to === 'bool' || from === to) return castTo(b, n.input(0), to);
        return b(bitcast, [n.input(0)], { to });
      }) satisfies Converter,
    },
  },

  toOnnx: ({ attrs }, [x], e) => e.one('BitCast', [x], { to: dtype(attrs.to) }),
});
