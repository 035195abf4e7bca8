import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { warpOf } from '../../codegen/target.js';
import { type Dim, mul } from '../../src/ir/dim.js';
import { type Attrs, dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import { cumulate } from '../../src/ops/cumulate.js';
import { flag } from '../shared/elements.js';
import { aroundAxis, countCheck, sumType, topKTraits } from '../shared/order.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { atMost, manyBlocks, powerOfTwo, typical } from './vector-width.js';

/** Ranks that a block sorts at a time. */
const mostSorted = (wide: boolean): number => (wide ? 2048 : 4096);

export const topKKernel = defineGpuKernel({
  ...topKTraits,
  refuse: refuseTypes,
  emit: ({ inputs, attrs: a }, k) => {
    const x = inputs[0]!;
    const dims = aroundAxis(shapeOf(x), a.axis);
    const [outer, axis, inner] = dims.map((d) => k.arg(d)) as [Cpp, Cpp, Cpp];
    const count = k.arg(a.k);
    const rows = mul(dims[0], dims[2]);
    const wide = bitsOf[dtypeOf(x)] === 64;
    k.before(countCheck(count, axis));
    k.include('ait/gpu/topk.h');
    const most = mostSorted(wide);
    // A short row is sorted whole.
    const whole = atMost(dims[1]) <= Math.min(2048, most);
    const sorted = powerOfTwo(Math.min(most, Math.max(32, atMost(whole ? dims[1] : a.k))));
    const threads = whole ? Math.max(warpOf(k.target), Math.min(1024, sorted / 2)) : 1024;
    const sides = cpp`${k.input(0)}`;
    const results = cpp`${k.output(0)}, ${k.output(1)}`;
    const grid = cpp`${outer} * ${inner}`;
    const parts = whole ? 1 : partsOf(typical(rows), typical(dims[1]), 4 * atMost(a.k));
    if (parts === 1)
      return {
        body: cpp`ait::gpu::top_k<${flag(a.largest)}, ${sorted}>(${axis}, ${inner}, ${count}, ${sides}, ${results});`,
        grid: [grid],
        ...{ threads, blocks: 1 },
      };
    const key = wide ? cpp`uint64_t` : cpp`uint32_t`;
    const memory = k.scratch(cpp`uint8_t`, cpp`${grid} * ${parts} * ${count} * ${wide ? 16 : 8}`);
    return [
      {
        body: cpp`ait::gpu::top_k_parts<${flag(a.largest)}, ${sorted}>(${axis}, ${inner}, ${count}, ${sides}, reinterpret_cast<ait::gpu::Ranked<${key}>*>(${memory}));`,
        grid: [grid, cpp`${parts}`],
        ...{ threads, blocks: 1 },
      },
      {
        body: cpp`ait::gpu::top_k_of_parts<${sorted}>(${axis}, ${inner}, ${count}, ${parts}, ${sides}, reinterpret_cast<const ait::gpu::Ranked<${key}>*>(${memory}), ${results});`,
        grid: [grid],
        ...{ threads, blocks: 1 },
      },
    ];
  },
});

/** Parts of rows that few blocks would have to themselves, none shorter than `least` elements. */
function partsOf(rows: number, length: number, least: number): number {
  const wanted = Math.min(manyBlocks / rows, length / Math.max(4096, least));
  return Number.isFinite(wanted) ? Math.max(1, Math.floor(wanted)) : 1;
}

interface CumulateAttrs extends Attrs {
  readonly axis: Dim;
  readonly kind: 'sum' | 'product';
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

export const cumulateKernel = defineGpuKernel({
  op: cumulate,
  refuse: refuseTypes,
  emit: (node, k) => {
    k.include('ait/gpu/scan.h');
    return scanLaunches(node, k);
  },
});

function scanLaunches(
  { inputs, outputs, attrs: a }: Node<CumulateAttrs>,
  k: GpuBuilder,
): Launch | readonly Launch[] {
  const x = inputs[0]!;
  const [outer, axis, inner] = aroundAxis(shapeOf(x), a.axis);
  const op = new Cpp(a.kind === 'sum' ? 'ait::gpu::AddOf' : 'ait::gpu::MulOf');
  const E = sumType(dtypeOf(x));
  const start = cpp`static_cast<${E}>(${a.kind === 'sum' ? 0 : 1})`;
  const reverse = flag(a.reverse);
  const how = cpp`${flag(a.exclusive)}, ${reverse}, ${start}`;
  const operands = cpp`${k.input(0)}, ${k.output()}`;
  const columns = typical(mul(outer, inner));
  if (typical(axis) <= 32 || (inner !== 1 && columns >= 256 * manyBlocks))
    return elementLoop(
      k,
      [outer, inner],
      1,
      [x, ...outputs],
      (i) =>
        cpp`ait::gpu::scan_column<${op}, ${E}>(${i}, ${k.dim(axis)}, ${k.dim(inner)}, ${how}, ${operands});`,
    );
  const [o, n, i] = [outer, axis, inner].map((d) => k.arg(d)) as [Cpp, Cpp, Cpp];
  if (inner !== 1) {
    const side = Math.min(32, powerOfTwo(atMost(inner)));
    return {
      body: cpp`ait::gpu::scan_columns<${op}, ${side}, 256, ${E}>(${n}, ${i}, ${how}, ${operands});`,
      grid: [cpp`${o} * ait::gpu::blocks(${i}, ${side})`],
      threads: 256,
    };
  }
  const parts = partsOf(typical(outer), typical(axis), 0);
  const length = Math.ceil(typical(axis) / parts);
  const threads = Math.max(warpOf(k.target), Math.min(1024, powerOfTwo(length / 4)));
  const grid = [o, cpp`${parts}`];
  if (parts === 1)
    return {
      body: cpp`ait::gpu::scan_rows<${op}, ${E}>(${n}, ${how}, static_cast<const ${E}*>(nullptr), ${operands});`,
      grid,
      threads,
    };
  const totals = k.scratch(E, cpp`${o} * ${parts} * 8`);
  return [
    {
      body: cpp`ait::gpu::scan_totals<${op}, ${E}>(${n}, ${reverse}, ${start}, ${k.input(0)}, ${totals});`,
      grid,
      threads,
    },
    {
      body: cpp`ait::gpu::scan_rows<${op}, ${E}>(${n}, ${how}, static_cast<const ${E}*>(${totals}), ${operands});`,
      grid,
      threads,
    },
  ];
}
