import { cpp } from '../../codegen/cpp.js';
import { defineGpuKernel } from '../../codegen/gpu/builder.js';
import { mul } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { computedLiteral, type Literal } from '../../src/ir/literal.js';
import { directionsOf, stepsAndBatch } from '../../src/ops/recurrent.js';
import { encodeF16 } from '../../src/support/element-formats.js';
import { perColumn, quantisedWeights, refuseWeights, sumOfBiases } from '../shared/quantised-weights.js';
import { dynamicQuantizeLstmTraits, refuseLengths } from '../shared/recurrent.js';
import { withCopies } from './aligned.js';
import { packedColumns, paddedRows, roundUp } from './packed-weights.js';
import { productLaunches } from './product.js';
import { stepLaunches } from './recurrent-steps.js';

/**
 * Bytes less their zero points are whole numbers up to 255, which halves hold exactly: products of halves, added up
 * in floats, serve in place of products of bytes.
 */
export const dynamicQuantizeLstmKernel = defineGpuKernel({
  ...dynamicQuantizeLstmTraits,
  refuse: (node) => refuseWeights(node) ?? refuseLengths(node),
  emit: (node, k) => {
    const { inputs, attrs: a } = node;
    const x = shapeOf(inputs[0]!);
    const depth = x[2]!;
    const [w, r, wScale, wZero, rScale, rZero, bias] = quantisedWeights(node) as readonly Literal[];
    const [directions, columns] = [directionsOf(a), 4 * a.hidden];
    const all = directions * columns;
    const rows = mul(...stepsAndBatch(x, a));
    const known = w!.shape[1]!;
    const pitch = roundUp(known, 8);
    k.include('ait/gpu/recurrent_bytes.h');
    const count = k.fresh(rows);
    const results = k.scratch(cpp`float`, cpp`${count} * ${all} * 4`);
    const bytes = k.scratch(cpp`ait::half`, cpp`${count} * ${pitch} * 2`);
    const range = k.scratch(cpp`float`, cpp`8`);
    const scales = (l: Literal) => k.weight(perColumn(l, 'f32', directions, columns));
    const product = productLaunches(
      {
        ...{ element: 'f16' as const, rows, columns: all, depth, outer: [] },
        a: { text: bytes, deep: true, pitch, vector: 8 },
        b: {
          text: k.weight(packedColumns(withoutZero(w!, wZero!, a.hidden), 1, known, all, true)),
          ...{ deep: true, pitch, vector: 8, lines: paddedRows(all) },
        },
        ...{ result: results, resultType: 'f32' as const },
        epilogue: cpp`ait::gpu::ByteBias{${range}, ${scales(wScale!)}, ${k.weight(sumOfBiases(bias, directions, columns))}}`,
      },
      k,
    );
    const steps = stepLaunches(node, k, {
      inputs: results,
      weights: k.weight(withoutZero(r!, rZero!, a.hidden)),
      vector: a.hidden % 8 === 0 ? 8 : a.hidden % 4 === 0 ? 4 : a.hidden % 2 === 0 ? 2 : 1,
      // The biases are in the products already.
      bias: cpp`static_cast<const float*>(nullptr)`,
      state: cpp`ait::gpu::ByteState(${scales(rScale!)})`,
    });
    return withCopies(k, [
      {
        body: cpp`ait::gpu::find_range(${k.input(0)}, ${count} * ${k.fresh(depth)}, ${range});`,
        grid: [cpp`1`],
        threads: 1024,
      },
      {
        body: cpp`ait::gpu::quantise_rows(${k.input(0)}, ${bytes}, ${count}, ${known}, ${pitch}, ${range});`,
        grid: [cpp`ait::gpu::blocks(${count} * ${pitch}, 256)`],
        threads: 256,
      },
      ...product,
      ...steps,
    ]);
  },
});

/** Bytes [directions, depth, columns] less their zero points as halves [directions, columns, depth]. */
const withoutZero = (l: Literal, zero: Literal, hidden: number): Literal => {
  const [directions, depth, columns] = l.shape as readonly [number, number, number];
  return computedLiteral('f16', [directions, columns, depth], () => {
    const zeros = perColumn(zero, 'i32', directions, 4 * hidden).numbers();
    const from = l.numbers();
    const to = new Uint16Array(directions * columns * depth);
    for (let d = 0; d < directions; d++)
      for (let i = 0; i < depth; i++)
        for (let j = 0; j < columns; j++)
          to[(d * columns + j) * depth + i] = encodeF16(
            from[(d * depth + i) * columns + j]! - zeros[d * columns + j]!,
          );
    return to;
  });
};
