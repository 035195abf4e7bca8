import { arg, cast, type Expr } from '../src/ir/expr.js';
import {
  dtypeOf,
  emit,
  graph,
  input,
  is,
  type Node,
  rebuilt,
  topological,
  type Value,
} from '../src/ir/graph.js';
import { computedLiteral, type Literal } from '../src/ir/literal.js';
import type { Pass } from '../src/ir/pass.js';
import { constant } from '../src/ops/constant.js';
import { pointwise } from '../src/ops/pointwise.js';
import { shapeOfValue } from '../src/ops/shape.js';
import { encodeBf16, encodeF16 } from '../src/support/element-formats.js';
import { isExpr } from './expr-attrs.js';
import { literalAt } from './literals.js';
import { quantisedParts } from './quantised-parts.js';
import { isPlace, wideParts } from './wide-parts.js';

export type Precision = 'f16' | 'bf16' | 'f32';

export interface PrecisionOptions {
  readonly precision: 'f16' | 'bf16';
  /** Whether the target compiles a node: one that it takes in f32 alone stays in f32. */
  readonly compiles: (n: Node) => boolean;
  /** Whether a node of the model must stay in f32. */
  readonly keeps: (n: Node) => boolean;
}

/** The largest finite value of a type that f32 values are narrowed to. */
const largest = { f16: 65504, bf16: 3.3895313892515355e38 } as const;

/**
 * Stores what the model computes in f32 in 16 bits. Sums, statistics and expressions are computed in f32 by
 * every kernel, so only what is stored is rounded; constants beyond the type's range become its largest.
 * Positions and angles stay in f32, and the model's own inputs and outputs keep their types.
 */
export const narrowFloats = ({ precision, compiles, keeps }: PrecisionOptions): Pass => ({
  name: 'precision',
  run: (g) => {
    const limit = largest[precision];
    const stays = new Set([...wideParts(g, limit), ...quantisedParts(g, limit)]);
    const wide = new Map<Value, Value>();
    const narrow = new Map<Value, Value>();
    const produced = new Map<Value, Value>();
    // A conversion belongs to the narrow node beside it, not to an input or a node that stays as it is.
    const castTo = (v: Value, to: 'f32' | 'f16' | 'bf16', { origin }: Node): Value =>
      emit(pointwise, [v], { expr: cast(to, arg(0)) }, origin).outputs[0]!;
    const wideOf = (v: Value): Value => {
      const known = wide.get(v) ?? castTo(narrow.get(v)!, 'f32', v.node);
      wide.set(v, known);
      return known;
    };
    const narrowOf = (v: Value, reader: Node): Value => {
      let known = narrow.get(v);
      if (!known) {
        const literal = literalAt(v);
        known = literal
          ? emit(constant, [], { value: narrowed(literal, precision) }, v.node.origin).outputs[0]!
          : castTo(wide.get(v)!, precision, reader);
        narrow.set(v, known);
      }
      return known;
    };
    const isWide = (v: Value): boolean => v.type.kind === 'tensor' && dtypeOf(v) === 'f32';
    const narrowedNode = (n: Node): Node | undefined => {
      if (keeps(n) || stays.has(n) || is(n, input) || literalAt(n.outputs[0]!)) return undefined;
      const inputs = n.inputs.map((v, i) => (isWide(v) && !isPlace(n, i) ? narrowOf(v, n) : wideOf(v)));
      try {
        const made = emit(n.op, inputs, narrowedAttrs(n.attrs, precision), n.origin);
        const right = made.outputs.every((v, i) => {
          const old = n.outputs[i]!;
          return v.type.kind === 'tensor' && dtypeOf(v) === (isWide(old) ? precision : dtypeOf(old));
        });
        return right && compiles(made) ? made : undefined;
      } catch {
        return undefined;
      }
    };
    for (const n of topological(g)) {
      // An extent may be told by the very value that has it: a conversion between them would wait for itself.
      const asks = is(n, shapeOfValue);
      const floats = !asks && [...n.inputs, ...n.outputs].some(isWide);
      const made = floats ? narrowedNode(n) : undefined;
      const kept = made ?? rebuilt(n, n.inputs.map(asks ? (v) => produced.get(v)! : wideOf));
      n.outputs.forEach((v, i) => {
        (made && isWide(v) ? narrow : wide).set(v, kept.outputs[i]!);
        produced.set(v, kept.outputs[i]!);
      });
    }
    const bindings = new Map([...g.bindings].map(([k, b]) => [k, { ...b, value: wideOf(b.value) }]));
    return graph(g.inputs.map(wideOf), g.outputs.map(wideOf), g.outputNames, bindings);
  },
});

function narrowedAttrs<A extends Node['attrs']>(attrs: A, to: 'f16' | 'bf16'): A {
  const entries = Object.entries(attrs).map(([name, a]) => [
    name,
    a !== undefined && isExpr(a) ? narrowedExpr(a, to) : a,
  ]);
  return Object.fromEntries(entries) as A;
}

function narrowedExpr(e: Expr, to: 'f16' | 'bf16'): Expr {
  switch (e.kind) {
    case 'in':
      return e;
    case 'const': {
      if (e.dtype !== 'f32') return e;
      return { ...e, dtype: to, value: within(Number(e.value), to) };
    }
    case 'cast':
      return { ...e, arg: narrowedExpr(e.arg, to), to: e.to === 'f32' ? to : e.to };
    case 'call':
      return { ...e, args: e.args.map((a) => narrowedExpr(a, to)) };
    default:
      return e satisfies never;
  }
}

/** A number as it is, infinities and NaN too, or the type's largest in its place. */
const within = (x: number, type: 'f16' | 'bf16'): number =>
  Number.isFinite(x) ? Math.max(-largest[type], Math.min(largest[type], x)) : x;

/** The elements rounded, when somebody asks for them. */
function narrowed(l: Literal, to: 'f16' | 'bf16'): Literal {
  const make = (): Uint16Array => {
    const bytes = l.bytes();
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const from = new Float32Array(aligned.buffer, aligned.byteOffset, l.size);
    return to === 'f16' ? toF16(from) : Uint16Array.from(from, (x) => encodeBf16(within(x, to)));
  };
  return computedLiteral(to, l.shape, make, l);
}

function toF16(from: Float32Array): Uint16Array {
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
  const out = new Uint16Array(from.length);
  for (let i = 0; i < out.length; i++) {
    const b = bits[i]!;
    const exponent = (b >>> 23) & 0xff;
    // Ordinary values: round the 13 bits that go, ties to even; a carry rightly moves into the exponent.
    if (exponent >= 113 && exponent <= 141) {
      const rounded = (b & 0x7fffffff) - 0x38000000 + 0xfff + ((b >>> 13) & 1);
      out[i] = ((b >>> 16) & 0x8000) | (rounded >>> 13);
    } else out[i] = encodeF16(within(from[i]!, 'f16'));
  }
  return out;
}
