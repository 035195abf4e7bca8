import { cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { warpOf } from '../../codegen/target.js';
import { mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { literalOf } from '../../src/ir/literal.js';
import {
  detTraits,
  einsumCheck,
  einsumLoops,
  einsumTraits,
  refuseEinsum,
  squareCheck,
  tfidfTraits,
} from '../shared/algebra.js';
import { listOf } from '../shared/elements.js';
import { mergeAxes } from '../shared/loop.js';
import { reduceType } from '../shared/reduce.js';
import { BlockMemory } from './block-memory.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { reduction } from './reduction.js';
import { atMost } from './vector-width.js';

export const einsumKernel = defineGpuKernel({
  ...einsumTraits,
  refuse: (node) => refuseEinsum(node) ?? refuseTypes(node),
  emit: (node, k) => {
    const { inputs } = node;
    const { extents, kept, strides } = einsumLoops(node);
    k.before(einsumCheck(node, k));
    k.include('ait/gpu/algebra.h');
    const nest = mergeAxes(extents, strides);
    const reads = inputs.map(
      (v, i) =>
        cpp`ait::gpu::StridedRead<${ctype[dtypeOf(v)]}, ${nest.extents.length}>{${k.input(i)}, {${listOf(k, nest.extents)}}, {${listOf(k, nest.strides[i]!)}}}`,
    );
    const element = reduceType(dtypeOf(inputs[0]!));
    return reduction(
      {
        operation: cpp`ait::gpu::SumOp<${element}>`,
        element,
        load: reads.reduceRight((product, read) => cpp`ait::gpu::times(${read}, ${product})`),
        types: [],
        sizes: [numel(extents.slice(0, kept)), numel(extents.slice(kept)), 1],
      },
      k,
    );
  },
});

export const detKernel = defineGpuKernel({
  ...detTraits,
  refuse: refuseTypes,
  emit: ({ inputs }, k) => {
    const shape = shapeOf(inputs[0]!);
    const [n, batch] = [shape.at(-1)!, k.arg(numel(shape.slice(0, -2)))];
    k.before(squareCheck(shape, k));
    const memory = new BlockMemory(k, cpp`double`, mul(n, n), batch);
    k.include('ait/gpu/algebra.h');
    return {
      body: cpp`ait::gpu::determinant<${ctype[computeType(dtypeOf(inputs[0]!))]}>(${k.arg(n)}, ${k.input(0)}, ${k.output()}, ${memory.pointer});`,
      grid: [batch],
      threads: atMost(n) <= 8 ? warpOf(k.target) : 128,
      ...memory.launch,
    };
  },
});

export const tfidfKernel = defineGpuKernel({
  ...tfidfTraits,
  refuse: refuseTypes,
  emit: ({ inputs, outputs, attrs: a }, k): readonly Launch[] => {
    const shape = shapeOf(inputs[0]!);
    const all = [...inputs, ...outputs];
    const y = k.output();
    const grams = a.grams.map(
      (g) => cpp`{${g.length}, ${g.columns.size}, ${k.weight(g.items)}, ${k.weight(g.columns)}}`,
    );
    const weights = a.weights.length > 0 && k.weight(literalOf('f32', [a.weights.length], a.weights));
    const plain = a.mode === 'TF' || (a.mode === 'TFIDF' && !weights);
    const weight = weights ? cpp`${weights}[i1]` : cpp`1.0f`;
    k.include('ait/gpu/algebra.h');
    const each = (body: (k: GpuBuilder) => ReturnType<typeof cpp>): Launch =>
      elementLoop(k, [numel(shape.slice(0, -1)), a.columns], 1, all, () => body(k));
    const count = elementLoop(
      k,
      [numel(shape)],
      1,
      all,
      (i) => cpp`
        const ait::Grams grams[] = {${join(grams, ', ')}};
        ait::gpu::count_grams(${y}, ${k.input(0)}, ${i}, ${k.arg(shape.at(-1) ?? 1)}, ${a.columns}, grams, ${grams.length}, ${a.skips});
      `,
    );
    return [
      each(() => cpp`${y}[i] = 0;`),
      ...(grams.length > 0 ? [count] : []),
      ...(plain
        ? []
        : [
            each(
              () =>
                cpp`${y}[i] = ${a.mode === 'IDF' ? cpp`${y}[i] > 0 ? ${weight} : 0.0f` : cpp`${y}[i] * ${weight}`};`,
            ),
          ]),
    ];
  },
});
