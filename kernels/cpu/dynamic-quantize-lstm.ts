import { cpp, ctype, join } from '../../codegen/cpp.js';
import { constantOf, defineKernel } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import { add, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { computedLiteral, type Literal } from '../../src/ir/literal.js';
import { dynamicQuantizeLstm } from '../../src/ops/dynamic-quantize-lstm.js';
import { directionsOf, inputIndex, type RecurrentAttrs, stepsAndBatch } from '../../src/ops/recurrent.js';
import { packedRecurrent } from './packed-recurrent.js';
import { rest, shapeText, workSize } from './recurrent.js';
import { Scratch } from './scratch.js';

type QuantisedLstm = Node<RecurrentAttrs>;

/** Weights, scales and zero points, in this order, and the bias where there is one. */
function constants({ inputs, attrs }: QuantisedLstm): readonly (Literal | undefined)[] {
  const bias = inputIndex(attrs, 'bias');
  const values = [
    inputs[1]!,
    inputs[2]!,
    ...inputs.slice(-4),
    ...(bias === undefined ? [] : [inputs[bias]!]),
  ];
  return values.map(constantOf);
}

export const dynamicQuantizeLstmKernel = defineKernel({
  op: dynamicQuantizeLstm,

  refuse: (node) => (constants(node).includes(undefined) ? 'its weights are not constants' : undefined),

  work: ({ inputs, attrs }) => {
    const x = shapeOf(inputs[0]!);
    const [steps, batch] = stepsAndBatch(x, attrs);
    return mul(8 * attrs.hidden * directionsOf(attrs), steps, batch, add(x[2]!, attrs.hidden));
  },

  emit: (node, k) => {
    const { inputs, attrs } = node;
    const shape = shapeText(node, k, true);
    const [w, r, wScale, wZero, rScale, rZero, bias] = constants(node) as readonly Literal[];
    const wide = [real(w!, wScale!, wZero!), real(r!, rScale!, rZero!)] as const;
    const weights = k.weight(packedRecurrent(...wide, bias, attrs, gemmTile(k.target).columns));
    const scratch = new Scratch();
    scratch.floats('work', workSize);
    const size = k.fresh(numel(shapeOf(inputs[0]!)));
    const x = scratch.floats('x', size);
    const lengths = inputIndex(attrs, 'lengths');
    const index = lengths === undefined ? cpp`int32_t` : ctype[dtypeOf(inputs[lengths]!)];
    return cpp`
      ${shape}
      ${scratch.text()}
      ait::through_bytes(${k.input(0)}, ${size}, ${x});
      ait::recurrent<${index}>(ctx, s, ${join([x, weights, ...rest(node, k)], ', ')});
    `;
  },
});

/** Bytes [directions, k, n] as f32 [directions, n, k]; scales and zero points are one or n a direction. */
function real(l: Literal, scale: Literal, zero: Literal): Literal {
  const [directions, k, n] = l.shape as readonly [number, number, number];
  return computedLiteral('f32', [directions, n, k], () => {
    const bytes = l.bytes();
    const values = l.dtype === 'i8' ? new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes;
    const [scales, zeros] = [scale.numbers(), zero.numbers()];
    const of = (all: readonly number[], d: number, j: number): number =>
      all.length === directions ? all[d]! : all.length === 1 ? all[0]! : all[d * n + j]!;
    const out = new Float32Array(values.length);
    for (let d = 0; d < directions; d++)
      for (let j = 0; j < n; j++) {
        const [factor, offset] = [of(scales, d, j), of(zeros, d, j)];
        const to = (d * n + j) * k;
        for (let i = 0; i < k; i++) out[to + i] = (values[(d * k + i) * n + j]! - offset) * factor;
      }
    return out;
  });
}
