import { constantOf } from '../../codegen/kernel.js';
import { computedLiteral, type Literal } from '../../src/ir/literal.js';
import { inputIndex } from '../../src/ops/recurrent.js';
import type { Recurrent } from './recurrent.js';

/** What an LSTM of quantised weights knows of them: weights, scales and zero points, in this order, and the bias. */
export function quantisedWeights({ inputs, attrs }: Recurrent): readonly (Literal | undefined)[] {
  const bias = inputIndex(attrs, 'bias');
  const values = [
    inputs[1]!,
    inputs[2]!,
    ...inputs.slice(-4),
    ...(bias === undefined ? [] : [inputs[bias]!]),
  ];
  return values.map(constantOf);
}

export const refuseWeights = (node: Recurrent): string | undefined =>
  quantisedWeights(node).includes(undefined) ? 'its weights are not constants' : undefined;

/** Scales or zero points, one a column of each direction; given so, or one a direction, or one. */
export const perColumn = (l: Literal, dtype: 'f32' | 'i32', directions: number, columns: number): Literal =>
  computedLiteral(dtype, [directions, columns], () => {
    const values = l.numbers();
    const each = directions * columns;
    const all = Array.from({ length: each }, (_, i) => values[Math.floor((i * values.length) / each)]!);
    return dtype === 'f32' ? Float32Array.from(all) : Int32Array.from(all);
  });

export const sumOfBiases = (bias: Literal | undefined, directions: number, columns: number): Literal =>
  computedLiteral('f32', [directions, columns], () => {
    const values = bias?.numbers();
    return Float32Array.from({ length: directions * columns }, (_, i) => {
      const at = 2 * columns * Math.floor(i / columns) + (i % columns);
      return values ? values[at]! + values[at + columns]! : 0;
    });
  });
