import { constantOf, type KernelBuilder } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import { computedLiteral, type Literal } from '../../src/ir/literal.js';
import { gatesOf, inputIndex, type RecurrentAttrs } from '../../src/ops/recurrent.js';
import { remembering } from '../shared/packing.js';
import type { Recurrent } from '../shared/recurrent.js';
import { floatsOf } from './packed-weights.js';

const remembered = remembering<Literal, Literal>();

/** The blocks that ait::pack_recurrent makes, when all weights are constants. */
export function packedAtCompileTime({ inputs, attrs }: Recurrent, k: KernelBuilder): Literal | undefined {
  const [w, r] = [constantOf(inputs[1]!), constantOf(inputs[2]!)];
  const at = inputIndex(attrs, 'bias');
  const bias = at === undefined ? undefined : constantOf(inputs[at]!);
  if (!w || !r || (at !== undefined && !bias)) return undefined;
  const width = gemmTile(k.target).columns;
  const key = [r.key, bias?.key, attrs.cell, attrs.linearBeforeReset, width].join(' ');
  return remembered(w, key, () => packedRecurrent(w, r, bias, attrs, width));
}

/** Weights in ONNX's layout as ait::pack_recurrent packs them. */
function packedRecurrent(
  w: Literal,
  r: Literal,
  bias: Literal | undefined,
  a: RecurrentAttrs,
  width: number,
): Literal {
  const h = a.hidden;
  const input = w.shape[2]!;
  const gates = gatesOf[a.cell];
  const rows = gates * h;
  const apart = a.cell === 'gru';
  const panels = (k: number, n: number): number => Math.ceil(n / width) * k * width;
  const whole = (n: number): number => Math.ceil(n / 16) * 16;
  const atR = panels(input, rows);
  const atHidden = atR + panels(h, apart ? 2 * h : rows);
  const atBias = atHidden + (apart ? panels(h, h) : 0);
  const atBiasHidden = atBias + whole(rows);
  const size = atBiasHidden + whole(h);
  const directions = w.shape[0]!;
  return computedLiteral('f32', [directions * size], () => {
    const out = new Float32Array(directions * size);
    const [ws, rs, bs] = [floatsOf(w), floatsOf(r), bias && floatsOf(bias)];
    for (let d = 0; d < directions; d++) {
      const to = d * size;
      panelsOf(ws, d * rows * input, input, rows, width, out, to);
      panelsOf(rs, d * rows * h, h, apart ? 2 * h : rows, width, out, to + atR);
      if (apart) panelsOf(rs, (d * rows + 2 * h) * h, h, h, width, out, to + atHidden);
      if (!bs) continue;
      const b = d * 2 * rows;
      const split = apart && a.linearBeforeReset;
      for (let i = 0; i < rows; i++)
        out[to + atBias + i] = bs[b + i]! + (split && i >= 2 * h ? 0 : bs[b + rows + i]!);
      if (split) for (let i = 0; i < h; i++) out[to + atBiasHidden + i] = bs[b + rows + 2 * h + i]!;
    }
    return out;
  });
}

/** The transpose of n rows of k elements, in panels. */
function panelsOf(
  from: Float32Array,
  start: number,
  k: number,
  n: number,
  width: number,
  out: Float32Array,
  at: number,
): void {
  for (let j = 0; j < n; j++) {
    const to = at + Math.floor(j / width) * k * width + (j % width);
    for (let i = 0; i < k; i++) out[to + i * width] = from[start + j * k + i]!;
  }
}
