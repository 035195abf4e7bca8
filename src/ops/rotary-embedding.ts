import { type Dim, floordiv, mul, type Shape, sub } from '../ir/dim.js';
import { arg, call } from '../ir/expr.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { concat } from './concat.js';
import { gather } from './gather.js';
import type { Build, SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { reshape } from './reshape.js';
import { slicedAxis } from './slice.js';

/** ONNX RotaryEmbedding: pairs of elements of each head, rotated by the angles of its row. */
export function rotaryEmbedding(n: SourceNode, b: Build): Value {
  const given = n.input(0);
  const flat = shapeOf(given).length === 3;
  const x = flat ? apart(n, b, given) : given;
  const size = shapeOf(x)[3]!;
  const asked = n.int('rotary_embedding_dim', 0);
  const rotated: Dim = asked === 0 ? size : asked;
  const half = floordiv(rotated, 2);

  const positions = n.optional(3);
  const angles = (i: number): Value => {
    const cache = n.input(i);
    const rows = positions ? b(gather, [cache, positions], { axis: 0 }) : cache;
    const [batch, steps] = shapeOf(rows);
    const shape = flat ? [batch!, steps!, 1, half] : [batch!, 1, steps!, half];
    return b(reshape, [rows], { shape });
  };
  const [cos, sin] = [angles(1), angles(2)];

  const head = slicedAxis(b, x, 3, 0, rotated);
  const pairs = n.int('interleaved', 0) === 1;
  const lead = shapeOf(x).slice(0, 3);
  // Interleaved pairs lie side by side, others half a rotation apart.
  const grouped = b(reshape, [head], { shape: pairs ? [...lead, half, 2] : [...lead, 2, half] });
  const part = (i: number): Value =>
    b(reshape, [slicedAxis(b, grouped, pairs ? 4 : 3, i, 1)], { shape: [...lead, half] });
  const [first, second] = [part(0), part(1)];
  const products = (fn: 'add' | 'sub', inputs: readonly Value[]): Value =>
    b(pointwise, inputs, { expr: call(fn, call('mul', arg(0), arg(1)), call('mul', arg(2), arg(3))) });
  const real = products('sub', [cos, first, sin, second]);
  const imaginary = products('add', [sin, first, cos, second]);
  const wider = (v: Value): Value => b(reshape, [v], { shape: pairs ? [...lead, half, 1] : [...lead, half] });
  const turned = b(concat, [wider(real), wider(imaginary)], { axis: pairs ? 4 : 3 });
  const whole = pairs ? b(reshape, [turned], { shape: [...lead, mul(2, half)] }) : turned;
  const rest = sub(size, rotated);
  const y = rest === 0 ? whole : b(concat, [whole, slicedAxis(b, x, 3, rotated, rest)], { axis: 3 });
  return flat ? b(reshape, [y], { shape: shapeOf(given) }) : y;
}

function apart(n: SourceNode, b: Build, x: Value): Value {
  const [batch, steps, hidden] = shapeOf(x);
  const heads = n.int('num_heads', 0);
  if (heads <= 0) return n.decline('the number of heads is not given');
  const shape: Shape = [batch!, steps!, heads, floordiv(hidden!, heads)];
  return b(reshape, [x], { shape });
}
