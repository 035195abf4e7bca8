import { type Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { compress, compressCount } from '../../src/ops/nonzero.js';
import { movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import { nonzeroCountTraits, nonzeroTraits } from '../shared/select.js';
import { carrierBytes, dividing, elementLoop } from './element-loop.js';
import { indexText, indexType } from './index-text.js';
import { refuseTypes } from './pointwise.js';

const threads = 256;
/** Elements that a block looks at. */
const chunk = 2048;
/** One block looks at as many as this when it is known that there are no more. */
const few = 8 * chunk;

const isFew = (n: Dim): n is number => typeof n === 'number' && n <= few;

const shared = cpp`AIT_SHARED int counts[${threads} / ait::gpu::kWarp];`;

/** How many of n elements hold, into `to`. */
function counted(k: GpuBuilder, n: Dim, holds: (i: Cpp) => Cpp, to: Cpp): readonly Launch[] {
  if (isFew(n)) return [chunkCounts(k, n, n, holds, to)];
  const sums = k.scratch(cpp`int64_t`, cpp`ait::gpu::blocks(${k.dim(n)}, ${chunk}) * 8`);
  return [chunkCounts(k, n, chunk, holds, sums), summedUp(k, n, sums, to)];
}

function chunkCounts(k: GpuBuilder, n: Dim, each: number, holds: (i: Cpp) => Cpp, to: Cpp): Launch {
  k.include('ait/gpu/compact.h');
  return {
    body: cpp`
      ${shared}
      ait::gpu::count_chunk(${k.dim(n)}, ${each}, ${to}, counts, [&](int64_t i) { return ait::gpu::is_set(${holds(cpp`i`)}); });
    `,
    grid: [each === n ? cpp`1` : cpp`ait::gpu::blocks(${k.dim(n)}, ${each})`],
    threads,
  };
}

const summedUp = (k: GpuBuilder, n: Dim, sums: Cpp, total: Cpp): Launch => ({
  body: cpp`
    AIT_SHARED int64_t totals[${threads} / ait::gpu::kWarp];
    ait::gpu::sums_before((${k.dim(n)} + ${chunk - 1}) / ${chunk}, ${sums}, ${total}, totals);
  `,
  grid: [cpp`1`],
  threads,
});

/** Runs `put` for each of n elements that holds, in their order; it has the element's number and its place. */
function placed(
  k: GpuBuilder,
  n: Dim,
  holds: (i: Cpp) => Cpp,
  put: (i: Cpp, at: Cpp) => Cpp,
): readonly Launch[] {
  k.include('ait/gpu/compact.h');
  const end = k.dim(n);
  const functions = cpp`
    const auto holds = [&](int64_t i) { return ait::gpu::is_set(${holds(cpp`i`)}); };
    const auto put = [&](int64_t item, int64_t at) {
      ${put(cpp`item`, cpp`at`)}
    };
  `;
  if (isFew(n)) {
    const body = cpp`
      ${shared}
      ${functions}
      ait::gpu::place_chunk(0, ${end}, 0, counts, holds, put);
    `;
    return [{ body, grid: [cpp`1`], threads }];
  }
  const sums = k.scratch(cpp`int64_t`, cpp`ait::gpu::blocks(${end}, ${chunk}) * 8`);
  const body = cpp`
    ${shared}
    ${functions}
    const int64_t begin = int64_t{${chunk}} * ait::gpu::block_x();
    const int64_t end = begin + ${chunk} < ${end} ? begin + ${chunk} : ${end};
    ait::gpu::place_chunk(begin, end, ${sums}[ait::gpu::block_x()], counts, holds, put);
  `;
  return [
    chunkCounts(k, n, chunk, holds, sums),
    summedUp(k, n, sums, cpp`nullptr`),
    { body, grid: [cpp`ait::gpu::blocks(${end}, ${chunk})`], threads },
  ];
}

export const nonzeroCountKernel = defineGpuKernel({
  ...nonzeroCountTraits,
  refuse: refuseTypes,
  emit: ({ inputs }, k) =>
    counted(k, numel(shapeOf(inputs[0]!)), (i) => cpp`${k.input(0)}[${i}]`, k.output()),
});

export const nonzeroKernel = defineGpuKernel({
  ...nonzeroTraits,
  refuse: refuseTypes,
  emit: ({ inputs, attrs: { count } }, k) => {
    const shape = shapeOf(inputs[0]!);
    const type = indexType(shape);
    const extents = shape.map((d) => k.dim(d));
    const found = k.dim(count);
    const y = k.output();
    return placed(
      k,
      numel(shape),
      (i) => cpp`${k.input(0)}[${i}]`,
      (item, at) => cpp`
        if (${at} >= ${found}) return;
        const ${type} i = static_cast<${type}>(${item});
        ${indexText(extents, type)}
        ${shape.map((_, d) => cpp`${y}[${d} * ${found} + ${at}] = static_cast<int64_t>(i${d});`)}
      `,
    );
  },
});

export const compressCountKernel = defineGpuKernel({
  op: compressCount,
  emit: ({ attrs: { limit } }, k) => counted(k, limit, (i) => cpp`${k.input(0)}[${i}]`, k.output()),
});

export const compressKernel = defineGpuKernel({
  op: compress,
  refuse: refusePacked,
  emit: ({ inputs, outputs, attrs: { axis, count } }, k) => {
    const shape = shapeOf(inputs[0]!);
    const n = shape[axis]!;
    const [outer, inner] = [numel(shape.slice(0, axis)), numel(shape.slice(axis + 1))];
    const from = k.scratch(cpp`int64_t`, cpp`${k.dim(count)} * 8`);
    const conditions = shapeOf(inputs[1]!)[0]!;
    const width = Math.min(16 / carrierBytes(dtypeOf(inputs[0]!)), dividing([inner]));
    k.include('ait/gpu/rows.h');
    const places = placed(
      k,
      conditions,
      (i) => cpp`${k.input(1)}[${i}]`,
      (item, at) => cpp`if (${at} < ${k.dim(count)}) ${from}[${at}] = ${item};`,
    );
    const rows = elementLoop(
      k,
      [outer, count, inner],
      width,
      [inputs[0]!, ...outputs],
      (i) => cpp`
        const int64_t row = static_cast<int64_t>(i0) * ${k.dim(n)} + ${from}[i1];
        ait::gpu::move<${width}>(${movedOutput(k)} + ${i} * ${width}, ${movedInput(k, 0)} + row * ${k.dim(inner)} + i2 * ${width});
      `,
    );
    return [...places, rows];
  },
});
