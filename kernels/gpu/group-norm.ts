import { type Cpp, cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { floordiv, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import { type GroupNormAttrs, groupNorm } from '../../src/ops/norm.js';
import { spatialOf } from '../../src/ops/window.js';
import type { EpilogueUse } from '../shared/contractions.js';
import { normTraits } from '../shared/norm.js';
import { withCopies } from './aligned.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { read, readAligned, refuseNorm, write, writeAligned } from './norm-operands.js';
import { atMost, manyBlocks, vectorWidth } from './vector-width.js';

/** Elements of a group that a block may normalise by itself. */
const smallGroup = 16384;

export const groupNormKernel = defineGpuKernel({
  ...normTraits(groupNorm),
  refuse: (node) => {
    if (!node.attrs.epilogue) return refuseNorm(node);
    return node.attrs.layout === 'NXC'
      ? (refuseNorm(node) ?? refuseFunctor(node, useOf(node)))
      : 'its epilogue is computed with channels last only';
  },
  inPlace: ({ inputs, outputs }) => (bitsOf[dtypeOf(inputs[0]!)] === bitsOf[dtypeOf(outputs[0]!)] ? [0] : []),
  emit: (node, k) => {
    k.include('ait/gpu/group_norm.h');
    return node.attrs.layout === 'NXC' ? lastLaunches(node, k) : firstLaunches(node, k);
  },
});

const useOf = ({ inputs }: Node<GroupNormAttrs>): EpilogueUse => ({
  own: 3,
  sums: dtypeOf(inputs[0]!),
  layout: 'NXC',
});

const stateBytes = 12;

/** Memory for moments; the host does not know their type. */
const momentsOf = (count: Cpp, k: GpuBuilder): Cpp =>
  cpp`reinterpret_cast<ait::gpu::Moments*>(${k.scratch(cpp`uint8_t`, cpp`${count} * ${stateBytes}`)})`;

function firstLaunches(
  { inputs, attrs: { groups, epsilon } }: Node<GroupNormAttrs>,
  k: GpuBuilder,
): readonly Launch[] {
  const [batch, channels, ...spatial] = shapeOf(inputs[0]!);
  const plane = numel(spatial);
  const many = mul(batch!, groups);
  const length = mul(floordiv(channels!, groups), plane);
  const [c, space, members, of] = [channels!, plane, floordiv(channels!, groups), many].map((d) => k.arg(d));
  const threads = 256;
  const vector = vectorWidth([dtypeOf(inputs[0]!)], plane);
  const operands = cpp`${read(k, 0)}, ${read(k, 1)}, ${read(k, 2)}, ${write(k)}`;
  const head = cpp`${c!}, ${space!}, ${members!}, ${k.number(epsilon)}`;
  if (atMost(length) <= smallGroup || atMost(many) >= 4 * manyBlocks)
    return [
      {
        body: cpp`ait::gpu::group_norm_block<${threads}, ${vector}>(${head}, ${operands});`,
        grid: [of!],
        threads,
      },
    ];
  const parts = partsOf(atMost(many), atMost(length));
  const moments = momentsOf(cpp`${of!} * ${parts}`, k);
  const pieces = partsOf(atMost(mul(batch!, channels!)), atMost(plane));
  return [
    {
      body: cpp`ait::gpu::group_moments<${threads}, ${vector}>(${members!} * ${space!}, ${read(k, 0)}, ${moments});`,
      grid: [of!, cpp`${parts}`],
      threads,
    },
    {
      body: cpp`ait::gpu::group_norm_planes<${threads}, ${vector}>(${head}, ${moments}, ${parts}, ${operands});`,
      grid: [k.arg(mul(batch!, channels!)), cpp`${pieces}`],
      threads,
    },
  ];
}

function lastLaunches(node: Node<GroupNormAttrs>, k: GpuBuilder): readonly Launch[] {
  const {
    inputs,
    attrs: { groups, epsilon },
  } = node;
  const shape = shapeOf(inputs[0]!);
  const [batch, plane, channels] = [shape[0]!, numel(spatialOf(shape, 'NXC')), shape.at(-1)!];
  const [b, space, c] = [k.arg(batch), k.arg(plane), k.arg(channels)];
  const g = k.arg(groups);
  const threads = 256;
  const types = [inputs[0]!, node.outputs[0]!, ...inputs.slice(3)].map(dtypeOf);
  const vector = Math.min(8, vectorWidth(types, channels));
  const elements = atMost(mul(plane, channels));
  const parts = partsOf(atMost(batch), elements);
  const pieces = partsOf(atMost(batch), elements, 6);
  const epilogue = epilogueFunctor(node, k, useOf(node));
  const moments = momentsOf(cpp`${b} * ${g} * ${parts}`, k);
  const x = readAligned(k, 0);
  const operands = cpp`${x}, ${readAligned(k, 1)}, ${readAligned(k, 2)}, ${epilogue}, ${writeAligned(k)}`;
  // A row of threads for each vector of channels, as many rows as fit.
  const vectors = cpp`(${c} / ${vector})`;
  const rows = cpp`(${vectors} < ${threads} ? ${threads} / ${vectors} : 1)`;
  return withCopies(k, [
    {
      body: cpp`ait::gpu::group_moments_last<${threads}, ${vector}>(${space}, ${c}, ${g}, ${x}, ${moments});`,
      grid: [b, cpp`${parts}`],
      threads,
      shared: cpp`${rows} * ${c} * ${stateBytes}`,
    },
    {
      body: cpp`ait::gpu::group_norm_last<${threads}, ${vector}>(${space}, ${c}, ${g}, ${k.number(epsilon)}, ${moments}, ${parts}, ${operands});`,
      grid: [b, cpp`${pieces}`],
      threads,
      shared: cpp`${g} * 8`,
    },
  ]);
}

/** Blocks for each of `many` things of `length` elements, so that about so many are on each multiprocessor. */
function partsOf(many: number, length: number, each = 2): number {
  if (!Number.isFinite(many)) return 1;
  const blocks = Math.floor((each * manyBlocks) / many);
  return Math.max(1, Math.min(each * manyBlocks, blocks, Math.ceil(length / 8192)));
}
