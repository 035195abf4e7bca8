import { Cpp, cpp, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { floordiv, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, isFloat } from '../../src/ir/type.js';
import { lpNorm } from '../../src/ops/lp-norm.js';
import { type GroupNormAttrs, groupNorm, layerNorm, rmsNorm } from '../../src/ops/norm.js';
import { spatialOf } from '../../src/ops/window.js';
import type { EpilogueUse } from '../shared/contractions.js';
import { localResponseNormTraits, normTraits } from '../shared/norm.js';
import { alignedInput, alignedOutput, withCopies } from './aligned.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { refuseTypes } from './pointwise.js';
import { rowGroups } from './row-groups.js';
import { atMost, manyBlocks, vectorWidth } from './vector-width.js';

const refuse = (node: Pick<Node, 'inputs' | 'outputs'>): string | undefined => {
  const t = dtypeOf(node.inputs[0]!);
  if (!isFloat(t)) return `${t} is not normalised`;
  return t === 'f64' ? 'normalisation computes in f32' : refuseTypes(node);
};

const read = (k: GpuBuilder, i: number): Cpp =>
  i < k.node.inputs.length ? cpp`ait::gpu::read(${k.input(i)})` : cpp`ait::gpu::Nothing{}`;
const write = (k: GpuBuilder): Cpp => cpp`ait::gpu::write(${k.output()})`;

/** The same of tensors that begin at 16 bytes. */
const readAligned = (k: GpuBuilder, i: number): Cpp =>
  i < k.node.inputs.length ? cpp`ait::gpu::read_aligned(${alignedInput(k, i)})` : cpp`ait::gpu::Nothing{}`;
const writeAligned = (k: GpuBuilder): Cpp => cpp`ait::gpu::write_aligned(${alignedOutput(k)})`;

export const layerNormKernel = defineGpuKernel({
  ...normTraits(layerNorm),
  refuse,
  emit: ({ attrs: { axis, epsilon, stats } }, k) => {
    const keep = stats
      ? cpp`ait::gpu::KeepStatistics{${k.output(1)}, ${k.output(2)}}`
      : cpp`ait::gpu::NoStatistics{}`;
    return rowLaunches(true, axis, epsilon, 2, keep, k);
  },
});

export const rmsNormKernel = defineGpuKernel({
  ...normTraits(rmsNorm),
  refuse,
  emit: ({ attrs: { axis, epsilon } }, k) =>
    rowLaunches(false, axis, epsilon, 1, cpp`ait::gpu::NoStatistics{}`, k),
});

function rowLaunches(
  centre: boolean,
  axis: number,
  epsilon: number,
  parameters: 1 | 2,
  keep: Cpp,
  k: GpuBuilder,
): readonly Launch[] {
  k.include('ait/gpu/norm.h');
  const x = k.node.inputs[0]!;
  const shape = shapeOf(x);
  const length = numel(shape.slice(axis));
  const [rows, n] = [k.arg(numel(shape.slice(0, axis))), k.arg(length)];
  const types = [dtypeOf(x)];
  const held = rowGroups(types, numel(shape.slice(0, axis)), length, k.target);
  const form = join(
    [
      String(centre),
      ...(held ? [held.group, held.items, held.vector] : [longRow, vectorWidth(types, length)]),
    ].map((s) => new Cpp(String(s))),
    ', ',
  );
  const of = (get: (k: GpuBuilder, i: number) => Cpp): readonly Cpp[] => [
    get(k, 0),
    get(k, 1),
    parameters === 2 ? get(k, 2) : cpp`ait::gpu::Nothing{}`,
  ];
  if (!held)
    return [
      {
        body: cpp`ait::gpu::norm_long_rows<${form}>(${n}, ${k.number(epsilon)}, ${join([...of(read), write(k), keep], ', ')});`,
        grid: [rows],
        threads: longRow,
      },
    ];
  return withCopies(k, [
    {
      body: cpp`ait::gpu::norm_rows<${form}>(${rows}, static_cast<int>(${n}), ${k.number(epsilon)}, ${join([...of(readAligned), writeAligned(k), keep], ', ')});`,
      grid: [cpp`ait::gpu::blocks(${rows}, ${held.rows})`],
      threads: held.threads,
    },
  ]);
}

/** Threads that share a row which they do not hold. */
const longRow = 1024;

/** Elements of a group that a block may normalise by itself. */
const smallGroup = 16384;

export const groupNormKernel = defineGpuKernel({
  ...normTraits(groupNorm),
  refuse: (node) => {
    if (!node.attrs.epilogue) return refuse(node);
    return node.attrs.layout === 'NXC'
      ? (refuse(node) ?? refuseFunctor(node, useOf(node)))
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

export const lpNormKernel = defineGpuKernel({
  ...normTraits(lpNorm),
  refuse,
  emit: ({ inputs, attrs: { p, axis } }, k) => {
    k.include('ait/gpu/lp_norm.h');
    const shape = shapeOf(inputs[0]!);
    const [outer, inner] = [numel(shape.slice(0, axis)), numel(shape.slice(axis + 1))];
    const [rows, n] = [k.arg(outer), k.arg(shape[axis]!)];
    if (inner === 1)
      return {
        body: cpp`ait::gpu::lp_norm_rows<${p}, 128, ${vectorWidth([dtypeOf(inputs[0]!)], shape[axis]!)}>(${n}, ${read(k, 0)}, ${write(k)});`,
        grid: [rows],
        threads: 128,
      };
    const columns = k.arg(inner);
    return {
      body: cpp`ait::gpu::lp_norm_columns<${p}>(${rows}, ${n}, ${columns}, ${read(k, 0)}, ${write(k)});`,
      grid: [cpp`ait::gpu::blocks(${rows} * ${columns}, 128)`],
      threads: 128,
    };
  },
});

export const localResponseNormKernel = defineGpuKernel({
  ...localResponseNormTraits,
  refuse,
  emit: ({ inputs, attrs: { size, alpha, beta, bias } }, k) => {
    k.include('ait/gpu/lp_norm.h');
    const [batch, channels, ...space] = shapeOf(inputs[0]!);
    const [n, c, s] = [k.arg(batch!), k.arg(channels!), k.arg(numel(space))];
    const factors = cpp`${size}, ${k.number(alpha)}, ${k.number(beta)}, ${k.number(bias)}`;
    return {
      body: cpp`ait::gpu::local_response_norm(${n}, ${c}, ${s}, ${factors}, ${read(k, 0)}, ${write(k)});`,
      grid: [cpp`ait::gpu::blocks(${n} * ${c} * ${s}, 256)`],
      threads: 256,
    };
  },
});
