import { add, type Dim, floordiv, mul, type Shape } from '../ir/dim.js';
import { arg, call } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { attention } from './attention.js';
import { concat } from './concat.js';
import { matmul } from './matmul.js';
import type { Build, SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { reshape } from './reshape.js';
import { slicedAxis } from './slice.js';
import { transpose } from './transpose.js';

const sum = (b: Build, x: Value, y: Value): Value =>
  b(pointwise, [x, y], { expr: call('add', arg(0), arg(1)) });

/** [B, L, H * D] as [B, L, H, D]. */
function apart(b: Build, x: Value, heads: number): Value {
  const [batch, rows, hidden] = shapeOf(x);
  return b(reshape, [x], { shape: [batch!, rows!, heads, floordiv(hidden!, heads)] });
}

interface Operands {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** Whether keys and values have heads before rows. */
  readonly headsFirst: boolean;
  readonly bias: Value | undefined;
  /** Keys in front of those that belong to the queries. */
  readonly offset: Dim;
}

/** Attention of queries [B, L, H, D]; the result is [B, L, H * E]. */
function attended(n: SourceNode, b: Build, x: Operands): Value {
  const depth = shapeOf(x.q)[3]!;
  const asked = n.float('scale', 0);
  if (asked === 0 && typeof depth !== 'number')
    return n.decline('the size of a head is not known before the model runs');
  const rows = !x.headsFirst;
  const causal = n.int('unidirectional', 0) === 1;
  const y = b(attention, [x.q, x.k, x.v, ...(x.bias ? [x.bias] : [])], {
    scale: asked === 0 ? 1 / Math.sqrt(Number(depth)) : asked,
    softcap: 0,
    window: causal ? { offset: x.offset, right: 0 } : undefined,
    mask: x.bias !== undefined,
    lengths: false,
    rowsFirst: [true, rows, rows, true],
  });
  const [batch, steps, heads, width] = shapeOf(y);
  return b(reshape, [y], { shape: [batch!, steps!, mul(heads!, width!)] });
}

/** Each part of a vector along its axis, of the sizes given. */
function parts(b: Build, x: Value, axis: number, sizes: Shape): readonly Value[] {
  return sizes.map((size, i) => slicedAxis(b, x, axis, add(...sizes.slice(0, i)), size));
}

/** com.microsoft MultiHeadAttention over queries, keys and values of their own. */
export function multiHeadAttention(n: SourceNode, b: Build): readonly Value[] {
  for (const i of [4, 8, 9]) if (n.optional(i)) n.decline('it masks or caches keys in a way of its own');
  if (n.wants(3)) n.decline('its scores are asked for');
  const [given, key, value] = [n.input(0), n.optional(1), n.optional(2)];
  if (!key || !value || shapeOf(given).length !== 3)
    return n.decline('its queries, keys and values are packed');
  const heads = n.int('num_heads');
  const ready = shapeOf(key).length === 4;
  let [q, k, v] = [given, key, value];
  const bias = n.optional(3);
  if (bias) {
    if (ready) n.decline('it adds a bias to keys that are heads already');
    const [x, y, z] = parts(
      b,
      bias,
      0,
      [q, k, v].map((t) => shapeOf(t)[2]!),
    );
    [q, k, v] = [sum(b, q, x!), sum(b, k, y!), sum(b, v, z!)];
  }
  const turned = (x: Value): Value =>
    ready ? x : b(transpose, [apart(b, x, heads)], { perm: [0, 2, 1, 3] });
  const [pastKey, pastValue] = [n.optional(6), n.optional(7)];
  const headsFirst = ready || pastKey !== undefined || n.wants(1) || n.wants(2);
  const join = (past: Value | undefined, x: Value): Value =>
    past ? b(concat, [past, turned(x)], { axis: 2 }) : headsFirst ? turned(x) : apart(b, x, heads);
  const [keys, values] = [join(pastKey, k), join(pastValue, v)];
  const offset = pastKey ? shapeOf(pastKey)[2]! : 0;
  const query = apart(b, q, heads);
  const y = attended(n, b, { q: query, k: keys, v: values, headsFirst, bias: n.optional(5), offset });
  return headsFirst ? [y, keys, values] : [y];
}

/** com.microsoft Attention: queries, keys and values are one product of the input. */
export function packedAttention(n: SourceNode, b: Build): Value {
  for (const i of [3, 4, 6]) if (n.optional(i)) n.decline('it masks or caches keys in a way of its own');
  if (n.wants(1) || n.int('do_rotary', 0) !== 0) n.decline('it caches or turns keys');
  const heads = n.int('num_heads');
  const bias = n.optional(2);
  const projected = b(matmul, [n.input(0), n.input(1), ...(bias ? [bias] : [])], {
    transA: false,
    transB: false,
    epilogue: bias ? call('add', arg(0), arg(1)) : undefined,
  });
  const hidden = shapeOf(projected)[2]!;
  const third = floordiv(hidden, 3);
  const sizes = n.has('qkv_hidden_sizes') ? n.ints('qkv_hidden_sizes') : [third, third, third];
  const [q, k, v] = parts(b, projected, 2, sizes).map((x) => apart(b, x, heads));
  if (dtypeOf(q!) === 'f64') n.decline('attention over f64 is rare');
  return attended(n, b, { q: q!, k: k!, v: v!, headsFirst: false, bias: n.optional(5), offset: 0 });
}
