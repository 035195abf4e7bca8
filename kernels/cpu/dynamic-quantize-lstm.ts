import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import type { Literal } from '../../src/ir/literal.js';
import { directionsOf } from '../../src/ops/recurrent.js';
import { perColumn, quantisedWeights, refuseWeights, sumOfBiases } from '../shared/quantised-weights.js';
import { dynamicQuantizeLstmTraits, lengthType } from '../shared/recurrent.js';
import { packedByteMatrices, qGroup } from './packed-bytes.js';
import { rest, shapeText, workSize } from './recurrent.js';
import { Scratch } from './scratch.js';

export const dynamicQuantizeLstmKernel = defineKernel({
  ...dynamicQuantizeLstmTraits,

  refuse: refuseWeights,

  emit: (node, k) => {
    const { attrs } = node;
    const shape = shapeText(node, k);
    k.include('ait/rnn_bytes.h');
    const [w, r, wScale, wZero, rScale, rZero, bias] = quantisedWeights(node) as readonly Literal[];
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
