import { cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { warpOf } from '../../codegen/target.js';
import { type Dim, mul } from '../../src/ir/dim.js';
import { dtypeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { attention, attentionWork } from '../../src/ops/attention.js';
import { flag } from '../shared/elements.js';
import { withCopies } from './aligned.js';
import { deepLaunches, isDeep } from './attention-deep.js';
import { headShapes, type Operands, operandsOf, stepsOf } from './attention-operands.js';
import { isWide, wideLaunches } from './attention-wide.js';
import { byDevice } from './hopper.js';
import { refuseTypes } from './pointwise.js';
import { sharedBytesOf } from './tiles.js';
import { atMost, isMultiple, manyBlocks, powerOfTwo } from './vector-width.js';

/** Depth of the values that a block of the plain kernel sums up, and of both operands on matrix units. */
const mostColumns = 512;
const mostDepth = 256;

export const attentionKernel = defineGpuKernel({
  op: attention,

  refuse: (node, target) => {
    const t = dtypeOf(node.inputs[0]!);
    if (t !== 'f32' && t !== 'f16' && t !== 'bf16') return `${t} has no attention kernel`;
    const [q, , v] = headShapes(node);
    const depths = [q[3]!, v[3]!];
    if (depths.some((d) => atMost(d) > mostColumns))
      return `its heads have more than ${mostColumns} elements`;
    const [depth, valueDepth] = depths.map(atMost) as [number, number];
    if (node.inputs.slice(0, 3).some((_, i) => stepsOf(node, i)?.strides[3] !== 1))
      return 'the elements of its heads are apart';
    const held = onMatrixUnits(t, depth, valueDepth) || isDeep(node, target);
    if (!held && plainBytes(depth, valueDepth) > sharedBytesOf(target))
      return `its heads of ${depth} and ${valueDepth} elements do not fit the shared memory of the device`;
    return refuseTypes(node);
  },

  work: (node) => attentionWork(...headShapes(node)),

  emit: (node, k) => {
    const a = operandsOf(node, k);
    const matrix = onMatrixUnits(a.type, atMost(a.depth), atMost(a.valueDepth));
    if (!matrix) return isDeep(node, k.target) ? deepLaunches(node, a, k) : plainLaunch(a, k);
    // Few rows are shared out over keys instead.
    const blocks = (atMost(mul(a.batch, a.heads)) * Math.ceil(atMost(a.queries) / 64)) / packedHeads(a);
    const cut = packedHeads(a) > 1 || partsOf(blocks, atMost(a.keys)) > 1;
    if (cut || !isWide(node, a, k)) return matrixLaunches(a, k);
    return withCopies(
      k,
      byDevice(
        k,
        () => wideLaunches(node, a, k),
        () => matrixLaunches(a, k),
      ),
    );
  },
});

const onMatrixUnits = (t: DType, depth: number, valueDepth: number): boolean =>
  t !== 'f32' && depth <= mostDepth && valueDepth <= mostDepth;

/** As attention_in_float lays its memory out. */
const plainBytes = (depth: number, valueDepth: number): number =>
  4 * (48 * (depth + 1) + 32 * valueDepth + 512);

const roundUp = (d: Dim, to: number): number => Math.ceil(atMost(d) / to) * to;

/** Query heads that share a tile: all of a key head when they have few rows. */
function packedHeads({ heads, keyHeads, queries }: Operands): number {
  if (typeof heads !== 'number' || typeof keyHeads !== 'number') return 1;
  const group = heads / keyHeads;
  return group * atMost(queries) <= 64 ? group : 1;
}

function matrixLaunches(a: Operands, k: GpuBuilder): readonly Launch[] {
  k.include('ait/gpu/attention.h');
  const packed = packedHeads(a);
  const [depth, valueDepth] = [roundUp(a.depth, 16), roundUp(a.valueDepth, 16)];
  const rows = packed * atMost(a.queries);
  const heads = atMost(mul(a.batch, a.heads)) / packed;
  const { attrs } = a;
  const plain = !attrs.mask && attrs.softcap === 0 && attrs.scale > 0;
  const blocks = (each: number): number => heads * Math.ceil(rows / each);
  // Warps with twice the rows load keys and values half as often, where registers and the number of blocks allow.
  const tiles = plain && Math.max(depth, valueDepth) <= 80 && blocks(128) >= 2 * manyBlocks ? 2 : 1;
  // Memory for two stages of keys and values must fit 99 KB, and small problems be cut in many blocks.
  const most = depth + valueDepth > 480 || blocks(64) < manyBlocks ? 2 : 4;
  const warps = Math.min(most, powerOfTwo(rows / (16 * tiles)));
  const wanted = depth + valueDepth > 256 ? 32 : 64;
  const tile = 16 * tiles * warps;
  const parts = partsOf(blocks(tile), atMost(a.keys));
  const whole = a.whole && isMultiple(a.depth, 8) && isMultiple(a.valueDepth, 8);
  const bounded = attrs.window !== undefined || attrs.lengths;
  const flags = [whole, plain, attrs.softcap !== 0, bounded, parts > 1].map(flag);
  const pitches = [depth + 8, valueDepth + 8] as const;
  const bytes = (n: number): number => 2 * (tile * Math.max(...pitches) + 2 * n * (pitches[0] + pitches[1]));
  const keys = [wanted, 32, 16].find((n) => bytes(n) <= sharedBytesOf(k.target)) ?? 16;
  const form = cpp`ait::gpu::AttentionForm<${depth}, ${valueDepth}, ${warps}, ${tiles}, ${keys}, ${join(flags, ', ')}>`;
  const { batch, heads: h, queries, valueDepth: e } = a.names;
  const results = cpp`${parts} * ${batch} * ${h} * ${queries}`;
  const memory =
    parts > 1
      ? [k.scratch(cpp`float`, cpp`${results} * ${e} * 4`), k.scratch(cpp`float`, cpp`${results} * 8`)]
      : [cpp`nullptr`, cpp`nullptr`];
  const sums = cpp`ait::gpu::AttentionParts{${join(memory, ', ')}}`;
  const first: Launch = {
    body: cpp`
      ${a.shape(packed)}
      ait::gpu::attention<${form}, ${ctype[a.type]}, ${a.maskType}>(s, ${join([...a.reads, a.mask, a.result, sums], ', ')});
    `,
    grid: [
      cpp`ait::gpu::blocks(${queries} * ${packed}, ${tile}) * (${h} / ${packed}) * ${batch}`,
      cpp`${parts}`,
    ],
    threads: warps * warpOf(k.target),
    shared: cpp`${bytes(keys)}`,
  };
  if (parts === 1) return [first];
  const join_: Launch = {
    body: cpp`
      ${a.shape(packed)}
      ait::gpu::attention_join(s, ${sums}, ${parts}, ${a.result});
    `,
    grid: [cpp`ait::gpu::blocks(${batch} * ${h} * ${queries} * ${e}, 256)`],
    threads: 256,
  };
  return [first, join_];
}

/** Parts of the keys, where the queries alone would leave most of a device idle. */
function partsOf(blocks: number, keys: number): number {
  if (!Number.isFinite(blocks) || blocks > manyBlocks / 2 || keys < 512) return 1;
  return Math.min(Math.ceil(manyBlocks / blocks), Math.floor(Math.min(keys, 4096) / 128));
}

function plainLaunch(a: Operands, k: GpuBuilder): Launch {
  k.include('ait/gpu/attention_plain.h');
  const columns = powerOfTwo(atMost(a.valueDepth) / 8);
  const { batch, heads, queries } = a.names;
  const floats = mul(48, a.depth);
  const shared = cpp`(${k.fresh(floats)} + 48 + 32 * ${a.names.valueDepth} + 512) * 4`;
  return {
    body: cpp`
      ${a.shape(1)}
      ait::gpu::attention_in_float<${columns}, ${ctype[a.type]}, ${a.maskType}>(s, ${join([...a.reads, a.mask, a.result], ', ')});
    `,
    grid: [cpp`ait::gpu::blocks(${queries}, 16) * ${heads} * ${batch}`],
    threads: 128,
    shared,
  };
}
