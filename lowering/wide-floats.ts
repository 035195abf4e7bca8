import { arg, cast, type Expr } from '../src/ir/expr.js';
import {
  type AttrValue,
  dtypeOf,
  emit,
  type Graph,
  graph,
  is,
  type Node,
  rebuilt,
  topological,
  type Value,
} from '../src/ir/graph.js';
import { computedLiteral, type Literal } from '../src/ir/literal.js';
import { constant } from '../src/ops/constant.js';
import { if_, loop, scan } from '../src/ops/control-flow.js';
import { foreign } from '../src/ops/foreign.js';
import { pointwise } from '../src/ops/pointwise.js';
import { shapeOfValue } from '../src/ops/shape.js';
import { isExpr } from './expr-attrs.js';
import { literalAt } from './literals.js';
import { contains } from './wide-parts.js';

/**
 * The graph for a runtime that can convert bf16 but not compute with it: in f32, with the same inputs and results.
 * Conversions to bf16 round as before. What has no form in f32 stays as it is.
 */
export function withWideFloats(g: Graph): Graph {
  const own = new Map<Value, Value>();
  const wide = new Map<Value, Value>();
  const inType = (v: Value, to: 'f32' | 'bf16', { origin }: Node): Value =>
    emit(pointwise, [v], { expr: cast(to, arg(0)) }, origin).outputs[0]!;
  const ownOf = (v: Value): Value => {
    const known = own.get(v) ?? inType(wide.get(v)!, 'bf16', v.node);
    own.set(v, known);
    return known;
  };
  const wideOf = (v: Value): Value => {
    if (!isNarrow(v)) return ownOf(v);
    const literal = literalAt(v);
    const made = (): Value =>
      literal
        ? emit(constant, [], { value: widened(literal) }, v.node.origin).outputs[0]!
        : inType(own.get(v)!, 'f32', v.node);
    const known = wide.get(v) ?? made();
    wide.set(v, known);
    return known;
  };
  for (const n of topological(g)) {
    // An extent may be told by the very value that has it: a conversion between them would wait for itself.
    const asks = is(n, shapeOfValue);
    const made = !asks && concerns(n) ? widenedNode(n, wideOf) : undefined;
    const read = asks ? (v: Value): Value => own.get(v) ?? wide.get(v)! : ownOf;
    const kept = made ?? rebuilt(withWideBodies(n), n.inputs.map(read));
    n.outputs.forEach((v, i) => {
      (made && isNarrow(v) ? wide : own).set(v, kept.outputs[i]!);
    });
  }
  // What tells an extent that nobody asks for is no part of the graph.
  const asked = [...g.bindings].filter(([, { value }]) => own.has(value) || wide.has(value));
  const bindings = new Map(asked.map(([k, b]) => [k, { ...b, value: ownOf(b.value) }]));
  return graph(g.inputs.map(ownOf), g.outputs.map(ownOf), g.outputNames, bindings);
}

const isNarrow = (v: Value): boolean => v.type.kind === 'tensor' && dtypeOf(v) === 'bf16';

/** Whether a node computes with bf16 by itself: bodies and nodes of other makers have the types they say. */
function concerns(n: Node): boolean {
  if (n.inputs.length === 0 || is(n, foreign) || is(n, if_) || is(n, loop) || is(n, scan)) return false;
  return [...n.inputs, ...n.outputs].some(isNarrow) || Object.values(n.attrs).some(mentionsNarrow);
}

const mentionsNarrow = (a: AttrValue): boolean => a !== undefined && isExpr(a) && contains(a, isNarrowTerm);

const isNarrowTerm = (e: Expr): boolean =>
  (e.kind === 'const' && e.dtype === 'bf16') || (e.kind === 'cast' && e.to === 'bf16');

function widenedNode(n: Node, wideOf: (v: Value) => Value): Node | undefined {
  try {
    const made = emit(n.op, n.inputs.map(wideOf), widenedAttrs(n.attrs), n.origin);
    const right = made.outputs.every((v, i) => {
      const old = n.outputs[i]!;
      return v.type.kind === 'tensor' && dtypeOf(v) === (isNarrow(old) ? 'f32' : dtypeOf(old));
    });
    return right ? made : undefined;
  } catch {
    return undefined;
  }
}

function withWideBodies(n: Node): Node {
  if (is(n, if_)) {
    const [thenBranch, elseBranch] = [withWideFloats(n.attrs.thenBranch), withWideFloats(n.attrs.elseBranch)];
    return emit(if_, n.inputs, { ...n.attrs, thenBranch, elseBranch }, n.origin);
  }
  if (is(n, loop)) return emit(loop, n.inputs, { ...n.attrs, body: withWideFloats(n.attrs.body) }, n.origin);
  if (is(n, scan)) return emit(scan, n.inputs, { ...n.attrs, body: withWideFloats(n.attrs.body) }, n.origin);
  return n;
}

const widenedAttrs = <A extends Node['attrs']>(attrs: A): A =>
  Object.fromEntries(
    Object.entries(attrs).map(([name, a]): [string, AttrValue] => [
      name,
      a === 'bf16' ? 'f32' : a !== undefined && isExpr(a) ? widenedExpr(a) : a,
    ]),
  ) as A;

function widenedExpr(e: Expr): Expr {
  switch (e.kind) {
    case 'in':
      return e;
    case 'const':
      return e.dtype === 'bf16' ? { ...e, dtype: 'f32' } : e;
    case 'cast': {
      const inner = { ...e, arg: widenedExpr(e.arg) };
      return e.to === 'bf16' ? cast('f32', inner) : inner;
    }
    case 'call':
      return { ...e, args: e.args.map(widenedExpr) };
    default:
      return e satisfies never;
  }
}

/** The elements in f32, when somebody asks for them. */
function widened(l: Literal): Literal {
  const make = (): Uint32Array => {
    const bytes = l.bytes();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Uint32Array.from({ length: l.size }, (_, i) => view.getUint16(2 * i, true) << 16);
  };
  return computedLiteral('f32', l.shape, make, l);
}
