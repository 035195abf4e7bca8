import { bareSymbol, type Dim, floordiv, type Poly, substitute } from '../ir/dim.js';
import { arg, call, cast, type Expr, constant as konst } from '../ir/expr.js';
import {
  type Attrs,
  type AttrValue,
  dtypeOf,
  emit,
  type Graph,
  input as inputOp,
  is,
  shapeOf,
  symbolsMentioned,
  topological,
  type Value,
} from '../ir/graph.js';
import { bf16Bits, bf16Value, f16Bits, f16Value } from '../ir/literal.js';
import type { DType } from '../ir/type.js';
import { matmul } from './matmul.js';
import { dtypeAttr } from './onnx-dtype.js';
import type { Build, SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { reshape } from './reshape.js';
import { softmaxOf } from './softmax.js';

/** ai.onnx.preview FlexAttention: attention whose scores and shares may each pass through a graph. */
export function flexAttention(n: SourceNode, b: Build): Value {
  const [q, k, v] = [n.input(0), n.input(1), n.input(2)];
  const t = dtypeOf(q);
  const [batch, heads, rows, depth] = shapeOf(q) as readonly [Dim, Dim, Dim, Dim];
  const [, groups, keys] = shapeOf(k) as readonly [Dim, Dim, Dim];
  const width = shapeOf(v)[3]!;
  if (!n.has('scale') && typeof depth !== 'number')
    n.decline('the size of a head is not known before the model runs');
  const scale = n.has('scale') ? n.float('scale') : 1 / Math.sqrt(Number(depth));
  const precision = dtypeAttr(n, 'softmax_precision') ?? (t === 'f64' ? 'f64' : 'f32');
  const perGroup = floordiv(heads, groups);
  const one = (x: Value, expr: Expr): Value => b(pointwise, [x], { expr });
  const as = (x: Value, to: DType): Value => (dtypeOf(x) === to ? x : one(x, cast(to, arg(0))));
  const factor = roundedTo(Math.sqrt(scale), t);
  const scaled = (x: Value): Value => one(x, call('mul', arg(0), factor));

  const left = b(reshape, [scaled(q)], { shape: [batch, groups, perGroup, rows, depth] });
  const right = b(reshape, [scaled(k)], { shape: [batch, groups, 1, keys, depth] });
  const products = b(matmul, [left, right], { transA: false, transB: true });
  const through = (x: Value, attr: string): Value => (n.has(attr) ? as(applied(n, attr, x), precision) : x);
  const scores = as(b(reshape, [products], { shape: [batch, heads, rows, keys] }), precision);
  const shares = through(softmaxOf(b, 'softmax', through(scores, 'score_mod'), 3), 'prob_mod');

  const wide = b(reshape, [shares], { shape: [batch, groups, perGroup, rows, keys] });
  const values = b(reshape, [as(v, precision)], { shape: [batch, groups, 1, keys, width] });
  const y = b(matmul, [wide, values], { transA: false, transB: false });
  return as(b(reshape, [y], { shape: [batch, heads, rows, width] }), dtypeOf(v));
}

/** A constant of a float type. */
export const roundedTo = (x: number, t: DType): Expr =>
  konst(t === 'f16' ? f16Value(f16Bits(x)) : t === 'bf16' ? bf16Value(bf16Bits(x)) : x, t);

/** The result of a body with its one input replaced by `x`. */
function applied(n: SourceNode, attr: string, x: Value): Value {
  const { graph, captured } = n.body(attr);
  const out = inlined(graph, [x, ...captured]);
  return out?.[0] ?? n.decline(`the body ${attr} depends on extents that only it knows`);
}

/** The results of a graph over other inputs; undefined when its nodes mention extents that these do not tell. */
function inlined(g: Graph, inputs: readonly Value[]): readonly Value[] | undefined {
  const now = new Map<Value, Value>(g.inputs.map((v, i) => [v, inputs[i]!]));
  const extents = new Map<string, Dim>();
  g.inputs.forEach((v, i) => {
    if (v.type.kind !== 'tensor') return;
    v.type.shape.forEach((d, axis) => {
      const bare = bareSymbol(d);
      if (bare !== undefined) extents.set(bare, shapeOf(inputs[i]!)[axis]!);
    });
  });
  if (g.bindings.size > 0) return undefined;
  for (const node of topological(g)) {
    if (is(node, inputOp)) continue;
    if ([...symbolsMentioned(node)].some((s) => !extents.has(s))) return undefined;
    const made = emit(
      node.op,
      node.inputs.map((v) => now.get(v)!),
      withExtents(node.attrs, extents) as Attrs,
      node.origin,
    );
    node.outputs.forEach((v, i) => {
      now.set(v, made.outputs[i]!);
    });
  }
  return g.outputs.map((v) => now.get(v)!);
}

/** Attributes with symbols replaced. */
function withExtents(a: AttrValue, extents: ReadonlyMap<string, Dim>): AttrValue {
  if (typeof a !== 'object') return a;
  if (Array.isArray(a)) return a.map((x) => withExtents(x, extents));
  if ('kind' in a && a.kind === 'poly') return substitute(a as Poly, extents);
  if (Object.getPrototypeOf(a) !== Object.prototype || ('kind' in a && a.kind === 'graph')) return a;
  return Object.fromEntries(Object.entries(a).map(([k, v]) => [k, withExtents(v as AttrValue, extents)]));
}
