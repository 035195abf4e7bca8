import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { warpOf } from '../../codegen/target.js';
import { type Dim, eq, mul, type Shape, same, select } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf, type Value } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { type AttentionAttrs, attention, attentionWork, headsFirst } from '../../src/ops/attention.js';
import { operandShapes, partLayout } from '../../src/ops/attention-parts.js';
import { flag } from '../cpu/elements.js';
import { denseStrides } from '../cpu/loop.js';
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
    if (!onMatrixUnits(t, depth, valueDepth) && plainBytes(depth, valueDepth) > sharedBytesOf(target))
      return `its heads of ${depth} and ${valueDepth} elements do not fit the shared memory of the device`;
    if (node.inputs.slice(0, 3).some((_, i) => stepsOf(node, i)?.strides[3] !== 1))
      return 'the elements of its heads are apart';
    return refuseTypes(node);
  },

  work: (node) => attentionWork(...headShapes(node)),

  emit: (node, k) => {
    const a = operandsOf(node, k);
    const matrix = onMatrixUnits(a.type, atMost(a.depth), atMost(a.valueDepth));
    k.include(`ait/gpu/attention${matrix ? '' : '_plain'}.h`);
    return matrix ? matrixLaunches(a, k) : plainLaunch(a, k);
  },
});

const onMatrixUnits = (t: DType, depth: number, valueDepth: number): boolean =>
  t !== 'f32' && depth <= mostDepth && valueDepth <= mostDepth;

/** As attention_in_float lays its memory out. */
const plainBytes = (depth: number, valueDepth: number): number =>
  4 * (48 * (depth + 1) + 32 * valueDepth + 512);

interface Operands {
  readonly type: 'f32' | 'f16' | 'bf16';
  readonly batch: Dim;
  readonly heads: Dim;
  readonly keyHeads: Dim;
  readonly queries: Dim;
  readonly keys: Dim;
  readonly depth: Dim;
  readonly valueDepth: Dim;
  readonly attrs: AttentionAttrs;
  /** Text of the shape for tiles of so many heads, of q, k, v and the mask, and of the result. */
  readonly shape: (packed: number) => Cpp;
  readonly reads: readonly Cpp[];
  /** Whether rows of q, k and v begin at multiples of 16 bytes behind the tensors' beginnings. */
  readonly whole: boolean;
  readonly mask: Cpp;
  readonly maskType: Cpp;
  readonly result: Cpp;
  /** Host expressions of the extents that a grid depends on. */
  readonly names: {
    readonly batch: Cpp;
    readonly heads: Cpp;
    readonly queries: Cpp;
    readonly valueDepth: Cpp;
  };
}

type Attention = Pick<Node<AttentionAttrs>, 'inputs' | 'attrs'>;

/** The shapes of q, k and v as [B, H, L, D]. */
function headShapes({ inputs, attrs }: Attention): readonly [Shape, Shape, Shape] {
  const shapes = operandShapes(inputs.map(shapeOf), attrs.parts);
  const first = (i: 0 | 1 | 2): Shape => headsFirst(shapes[i], attrs.rowsFirst[i]);
  return [first(0), first(1), first(2)];
}

/** Where q, k or v begins in its tensor, and the steps along [B, H, L, D]. */
function stepsOf({ inputs, attrs }: Attention, i: number): { offset: Dim; strides: Shape } | undefined {
  const part = attrs.parts?.[i];
  const x = inputs[i]!;
  const own = part ? partLayout(shapeOf(x), part) : { offset: 0, strides: denseStrides(shapeOf(x)) };
  return own && { offset: own.offset, strides: headsFirst(own.strides, attrs.rowsFirst[i]!) };
}

function operandsOf(node: Node<AttentionAttrs>, k: GpuBuilder): Operands {
  const { inputs, outputs, attrs } = node;
  const [q, keys, values] = headShapes(node);
  const type = dtypeOf(inputs[0]!) as Operands['type'];
  const t = ctype[type];
  const { window } = attrs;
  const extents = [q[0]!, q[1]!, keys[1]!, q[2]!, keys[2]!, q[3]!, values[3]!].map((d) => k.fresh(d));
  const int = (x: Cpp): Cpp => cpp`static_cast<int>(${x})`;
  const bounds = [window?.offset ?? 0, window?.left ?? -1, window?.right ?? -1].map((d) => int(k.fresh(d)));
  const lengths = attrs.lengths ? k.input(3 + Number(attrs.mask)) : cpp`nullptr`;
  const fields = [
    ...extents.map(int),
    k.number(attrs.scale),
    k.number(attrs.softcap),
    ...bounds,
    lengths,
    flag(attrs.lengths),
  ];
  const maskType = attrs.mask ? ctype[dtypeOf(inputs[3]!)] : cpp`ait::gpu::NoMask`;
  return {
    type,
    batch: q[0]!,
    heads: q[1]!,
    keyHeads: keys[1]!,
    queries: q[2]!,
    keys: keys[2]!,
    depth: q[3]!,
    valueDepth: values[3]!,
    attrs,
    shape: (packed) => cpp`const ait::gpu::AttentionShape s{${join(fields, ', ')}, ${packed}};`,
    reads: [0, 1, 2].map((i) => {
      const { offset, strides } = stepsOf(node, i)!;
      const p = offset === 0 ? k.input(i) : cpp`${k.input(i)} + ${k.fresh(offset)}`;
      return view(p, cpp`const ${t}`, strides, k);
    }),
    whole: [0, 1, 2].every((i) => {
      const { offset, strides } = stepsOf(node, i)!;
      return [offset, ...strides.slice(0, 3)].every((d) => isMultiple(d, 8));
    }),
    maskType,
    mask: attrs.mask ? maskView(inputs[3]!, q.slice(0, 3), k) : cpp`ait::gpu::MaskView<ait::gpu::NoMask>{}`,
    result: view(k.output(), t, headsFirst(denseStrides(shapeOf(outputs[0]!)), attrs.rowsFirst[3]), k),
    names: { batch: extents[0]!, heads: extents[1]!, queries: extents[3]!, valueDepth: extents[6]! },
  };
}

function view(p: Cpp, type: Cpp, strides: Shape, k: GpuBuilder): Cpp {
  const steps = strides.slice(0, 3).map((d) => k.fresh(d));
  return cpp`ait::gpu::HeadsView<${type}>{${join([p, ...steps], ', ')}}`;
}

/** A mask whose axes before the last broadcast to those of the scores. */
function maskView(mask: Value, rows: Shape, k: GpuBuilder): Cpp {
  const shape = shapeOf(mask);
  const own = denseStrides(shape);
  const steps = rows.map((d, i): Dim => {
    const at = i - (rows.length - (shape.length - 1));
    const extent = at < 0 ? 1 : shape[at]!;
    if (extent === 1) return 0;
    return same(extent, d) ? own[at]! : select(eq(extent, 1), 0, own[at]!);
  });
  const width = cpp`static_cast<int>(${k.fresh(shape.at(-1)!)})`;
  const fields = [k.input(3), ...steps.map((d) => k.fresh(d)), width];
  return cpp`ait::gpu::MaskView<${ctype[dtypeOf(mask)]}>{${join(fields, ', ')}}`;
}

const roundUp = (d: Dim, to: number): number => Math.ceil(atMost(d) / to) * to;

/** Query heads that share a tile: all of a key head when they have few rows. */
function packedHeads({ heads, keyHeads, queries }: Operands): number {
  if (typeof heads !== 'number' || typeof keyHeads !== 'number') return 1;
  const group = heads / keyHeads;
  return group * atMost(queries) <= 64 ? group : 1;
}

function matrixLaunches(a: Operands, k: GpuBuilder): readonly Launch[] {
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
  void k;
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
