import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { constantOf, defineKernel } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import type { Node } from '../../src/ir/graph.js';
import { computedLiteral, type Literal } from '../../src/ir/literal.js';
import { dynamicQuantizeLstm } from '../../src/ops/dynamic-quantize-lstm.js';
import { directionsOf, inputIndex, type RecurrentAttrs } from '../../src/ops/recurrent.js';
import { packedByteMatrices, qGroup } from './packed-bytes.js';
import { lengthType, recurrentWork, rest, shapeText, workSize } from './recurrent.js';
import { Scratch } from './scratch.js';

type QuantisedLstm = Node<RecurrentAttrs>;

/** Weights, scales and zero points, in this order, and the bias where there is one. */
export function constants({ inputs, attrs }: QuantisedLstm): readonly (Literal | undefined)[] {
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

  work: recurrentWork,

  emit: (node, k) => {
    const { attrs } = node;
    const shape = shapeText(node, k);
    k.include('ait/rnn_bytes.h');
    const [w, r, wScale, wZero, rScale, rZero, bias] = constants(node) as readonly Literal[];
    const packing = { width: gemmTile(k.target).columns, group: qGroup(k.target) };
    const [directions, columns] = [directionsOf(attrs), 4 * attrs.hidden];
    const panels = (l: Literal): Cpp => {
      const matrices = { count: directions, k: l.shape[1]!, n: columns, transposed: false };
      return cpp`reinterpret_cast<const uint8_t*>(${k.weight(packedByteMatrices(l, { ...matrices, ...packing }))})`;
    };
    const each = (l: Literal, dtype: 'f32' | 'i32'): Cpp =>
      k.weight(perColumn(l, dtype, directions, columns));
    const scratch = new Scratch();
    scratch.floats('work', workSize);
    const bytes = scratch.floats(
      'bytes',
      cpp`(s.steps * s.batch * s.input + s.directions * s.batch * s.hidden) / 4 + 16`,
    );
    const fields = [
      panels(w!),
      panels(r!),
      each(wScale!, 'f32'),
      each(rScale!, 'f32'),
      each(wZero!, 'i32'),
      each(rZero!, 'i32'),
      k.weight(sumOfBiases(bias, directions, columns)),
    ];
    const args = [k.input(0), cpp`weights`, cpp`reinterpret_cast<uint8_t*>(${bytes})`, ...rest(node, k)];
    return cpp`
      ${shape}
      ${scratch.text()}
      const ait::ByteWeights weights{${join(fields, ', ')}};
      ait::byte_lstm<${ctype[w!.dtype]}, ${lengthType(node)}>(ctx, s, ${join(args, ', ')});
    `;
  },
});

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
