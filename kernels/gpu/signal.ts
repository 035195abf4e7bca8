import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import type { NodeOf } from '../../codegen/kernel.js';
import { warpOf } from '../../codegen/target.js';
import { type Dim, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import type { dft } from '../../src/ops/fourier.js';
import { melWeights, windowFunction } from '../../src/ops/window-function.js';
import { type Ends, flag, listOf, nullPointer, refuseNoFloat } from '../shared/elements.js';
import {
  dftCheck,
  dftSizes,
  dftTraits,
  stftSizes,
  stftTraits,
  windowCoefficients,
} from '../shared/signal.js';
import { BlockMemory } from './block-memory.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { atMost, powerOfTwo } from './vector-width.js';

/** The type of a transform: where samples have 24 bits, sums that cancel need more. */
const transformType = ({ inputs }: Ends): Cpp =>
  bitsOf[dtypeOf(inputs[0]!)] === 16 ? cpp`float` : cpp`double`;

/** Complex samples whose number has small factors alone stay as exact as they were, as on the CPU. */
function isShort({ inputs, attrs: { length, oneSided } }: NodeOf<typeof dft>): boolean {
  if (shapeOf(inputs[0]!).at(-1) !== 2 || oneSided) return false;
  if (typeof length !== 'number') return true;
  let rest = Math.max(1, length);
  for (const factor of [2, 5]) while (rest % factor === 0) rest /= factor;
  return rest === 1;
}

/** The roots of unity, then one block for each of `count` transforms of length n. */
function transforms(
  k: GpuBuilder,
  R: Cpp,
  n: Dim,
  count: Dim,
  body: (roots: Cpp, memory: Cpp) => Cpp,
): readonly Launch[] {
  k.include('ait/gpu/signal.h');
  const roots = k.scratch(R, cpp`2 * ${k.arg(n)} * static_cast<int64_t>(sizeof(${R}))`);
  const memory = new BlockMemory(k, R, mul(4, n), k.arg(count));
  const table = elementLoop(
    k,
    [n],
    1,
    [],
    (i) =>
      cpp`reinterpret_cast<ait::ComplexOf<${R}>*>(${roots})[${i}] = ait::gpu::rounded_root<${R}>(${i}, ${k.arg(n)});`,
  );
  return [
    table,
    {
      body: body(cpp`static_cast<const ${R}*>(${roots})`, memory.pointer),
      grid: [k.arg(count)],
      threads: Math.max(warpOf(k.target), Math.min(256, powerOfTwo(atMost(n) / 4))),
      ...memory.launch,
    },
  ];
}

export const dftKernel = defineGpuKernel({
  ...dftTraits,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  emit: (node, k) => {
    const { length, inverse } = node.attrs;
    const shape = dftSizes(node);
    k.before(dftCheck(node, k));
    const isSingle = isShort(node) && dtypeOf(node.inputs[0]!) === 'f32';
    return transforms(
      k,
      isSingle ? cpp`float` : transformType(node),
      length,
      mul(shape[0]!, shape[2]!),
      (roots, memory) => cpp`
        const ait::DftShape shape = {${listOf(k, shape)}};
        ait::gpu::dft(${k.input(0)}, ${k.output()}, shape, ${flag(inverse)}, ${roots}, ${memory});
      `,
    );
  },
});

export const stftKernel = defineGpuKernel({
  ...stftTraits,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  emit: (node, k) => {
    const { inputs, outputs, attrs: a } = node;
    const window = inputs.length > 1 ? k.input(1) : nullPointer(inputs[0]!);
    k.before(
      cpp`if (${k.arg(a.length)} <= 0 || ${k.arg(a.step)} <= 0) return ctx.fail("STFT: the length of a frame or the step is not positive");`,
    );
    return transforms(
      k,
      transformType(node),
      a.length,
      numel(shapeOf(outputs[0]!).slice(0, 2)),
      (roots, memory) => cpp`
        const ait::StftShape shape = {${listOf(k, stftSizes(node))}};
        ait::gpu::stft(${k.input(0)}, ${window}, ${k.output()}, shape, ${roots}, ${memory});
      `,
    );
  },
});

export const windowFunctionKernel = defineGpuKernel({
  op: windowFunction,
  refuse: refuseTypes,
  emit: ({ outputs, attrs: a }, k) => {
    k.include('ait/gpu/scalar.h', 'ait/spectra.h');
    return elementLoop(
      k,
      [a.size],
      1,
      outputs,
      (i) =>
        cpp`${k.output()}[${i}] = ait::fn::cast<${ctype[a.dtype]}>(ait::cosine_window_at(${i}, ${k.arg(a.size)}, ${flag(a.periodic)}, ${windowCoefficients(a)}));`,
    );
  },
});

export const melWeightsKernel = defineGpuKernel({
  op: melWeights,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  emit: ({ outputs, attrs: a }, k) => {
    const edges = [0, 1].map((i) => cpp`ait::fn::cast<double>(*${k.input(i)})`);
    k.include('ait/gpu/scalar.h', 'ait/spectra.h');
    return elementLoop(
      k,
      shapeOf(outputs[0]!),
      1,
      outputs,
      (i) => cpp`
        const ait::MelFilters filters(${listOf(k, [a.mels, a.length, a.rate])}, ${join(edges, ', ')});
        const auto edge = static_cast<int64_t>(i1);
        if (!filters.fits(edge) || !filters.fits(edge + 1) || !filters.fits(edge + 2)) {
          ${k.fail('MelWeightMatrix: a filter lies outside the spectrogram')}
          return;
        }
        ${k.output()}[${i}] = ait::fn::cast<${ctype[a.dtype]}>(filters.weight(i0, edge));
      `,
    );
  },
});
