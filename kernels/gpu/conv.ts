import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { bitsOf } from '../../src/ir/type.js';
import type { ConvAttrs } from '../../src/ops/conv.js';
import { channelsOf } from '../../src/ops/window.js';
import { convTraits, convUse } from '../shared/contractions.js';
import { flag } from '../shared/elements.js';
import { type Spatial, tapsOf, windowExtents } from '../shared/window.js';
import { alignedInput, alignedOutput, hostAddress, withCopies } from './aligned.js';
import { directConv } from './conv-direct.js';
import { depthwiseLaunch, isSmallDepthwise } from './depthwise.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { mergedGroups, packedColumns, packedWindows, paddedRows, roundUp } from './packed-weights.js';
import {
  byDevice,
  int,
  isHalf,
  productLaunches,
  reduceLaunch,
  splitsFor,
  storeWidth,
  typical,
  type Unit,
  unitOf,
  vectorOf,
  wideLaunches,
  wideTile,
} from './product.js';
import { isStem, stemLaunch } from './stem.js';
import {
  type Choice,
  chooseTile,
  type Problem,
  sharedBytes,
  threadsOf,
  tilingText,
  wideText,
} from './tiles.js';

export type Conv = Node<ConvAttrs>;

export const convKernel = defineGpuKernel({
  ...convTraits,

  refuse: (node) =>
    node.attrs.kernel.length > 6 ? 'it has more than six spatial axes' : refuseFunctor(node, convUse(node)),

  emit: (node, k) => {
    const epilogue = epilogueFunctor(node, k, convUse(node));
    return withCopies(k, launchesOf(node, k, epilogue));
  },
});

function launchesOf(node: Conv, k: GpuBuilder, epilogue: Cpp): readonly Launch[] {
  const { attrs, inputs } = node;
  const t = dtypeOf(inputs[0]!);
  const c = shapeOf(inputs[1]!)[1]!;
  const literal = constantOf(inputs[1]!);
  const last =
    attrs.layout === 'NXC' && typeof c === 'number' && t !== 'f64' && numel(shapeOf(inputs[1]!)) !== 0;
  if (!last || attrs.kernel.length > 3) return [directConv(node, k, epilogue, false)];
  if (literal && isSmallDepthwise(node)) return [depthwiseLaunch(node, k, literal, epilogue)];
  if (literal && isStem(node)) return [stemLaunch(node, k, literal, epilogue)];
  if (literal && isPointwise(attrs)) return pointwiseConv(node, k, literal, epilogue);
  return windowConv(node, k, literal, c, epilogue);
}

/** Every pixel by itself: a product of matrices. */
const isPointwise = ({ kernel, strides, pads, groups }: ConvAttrs): boolean =>
  groups === 1 && kernel.every((d) => d === 1) && strides.every((d) => d === 1) && pads.every((d) => d === 0);

function pointwiseConv(node: Conv, k: GpuBuilder, literal: Literal, epilogue: Cpp): readonly Launch[] {
  const t = dtypeOf(node.inputs[0]!);
  const y = shapeOf(node.outputs[0]!);
  const [n, c] = [literal.shape[0]!, literal.shape[1]!];
  const pitch = roundUp(c, 128 / bitsOf[t]);
  return productLaunches(
    {
      element: t,
      a: { text: alignedInput(k, 0), deep: true, pitch: c, vector: vectorOf(t, c) },
      b: {
        text: k.weight(packedColumns(literal, 1, c, n, true)),
        deep: true,
        pitch,
        vector: 128 / bitsOf[t],
        lines: paddedRows(n),
        constant: true,
      },
      rows: numel(y.slice(0, -1)),
      columns: n,
      depth: c,
      outer: [],
      result: alignedOutput(k),
      resultType: dtypeOf(node.outputs[0]!),
      epilogue,
    },
    k,
  );
}

/** Extents of the windows, as ImageWindows lists them. */
export function windowsText(node: Spatial, k: GpuBuilder, channels: number, pixel: Dim, outside?: Cpp): Cpp {
  const fields = [
    ...windowExtents(node, 3)
      .flat()
      .map((d) => int(k.fresh(d))),
    int(k.fresh(channels)),
    k.fresh(pixel),
    ...(outside ? [outside] : []),
  ];
  return cpp`ait::gpu::ImageWindows{${join(fields, ', ')}}`;
}

export interface Image {
  readonly text: Cpp;
  /** Channels of a group, and elements that a copy may move. */
  readonly channels: number;
  readonly vector: number;
  readonly before: readonly Launch[];
}

/** The image as it lies, or with the channels of each group filled up so that whole accesses, or halves, read them. */
export function imageOf(node: Node, k: GpuBuilder, groups: number, c: number, inWhole = false): Image {
  const x = node.inputs[0]!;
  const t = dtypeOf(x);
  const whole = 128 / bitsOf[t];
  const vector = vectorOf(t, c);
  if (vector === whole || (!inWhole && 2 * vector === whole))
    return { text: alignedInput(k, 0), channels: c, vector, before: [] };
  const channels = roundUp(c, !inWhole && c <= whole / 2 ? whole / 2 : whole);
  k.include('ait/gpu/conv.h');
  const pixels = k.fresh(numel(shapeOf(x).slice(0, -1)));
  const filled = k.scratch(ctype[t], cpp`${pixels} * ${groups * channels * (bitsOf[t] / 8)}`);
  const width = channels % whole === 0 ? whole : whole / 2;
  const one = (name: string, d: Dim) => ({ type: cpp`int64_t`, name: new Cpp(name), value: k.fresh(d) });
  const before: Launch = {
    body: cpp`ait::gpu::spread_channels<${width}>(from, to, pixels, pixels, ${int(cpp`groups`)}, ${int(cpp`own`)}, ${int(cpp`padded`)}, 0, groups * own, 1);`,
    grid: [cpp`ait::gpu::blocks(${pixels} * ${(groups * channels) / width}, 256)`],
    threads: 256,
    values: [
      { type: cpp`const ${ctype[t]}*`, name: cpp`from`, value: k.input(0) },
      { type: cpp`${ctype[t]}*`, name: cpp`to`, value: filled },
      { type: cpp`int64_t`, name: cpp`pixels`, value: pixels },
      one('groups', groups),
      one('own', c),
      one('padded', channels),
    ],
    alone: ['ait/gpu/conv.h'],
  };
  return { text: filled, channels, vector: width, before: [before] };
}

function windowConv(
  node: Conv,
  k: GpuBuilder,
  literal: Literal | undefined,
  c: number,
  epilogue: Cpp,
): readonly Launch[] {
  k.include('ait/gpu/conv.h');
  const { attrs, inputs, outputs } = node;
  const t = dtypeOf(inputs[0]!);
  const m = Number(channelsOf(shapeOf(outputs[0]!), 'NXC'));
  const merged = literal ? mergedGroups(attrs.groups, c, m / attrs.groups) : 1;
  const groups = attrs.groups / merged;
  const n = m / groups;
  const taps = tapsOf(attrs);
  const image = imageOf(node, k, groups, c * merged);
  const depth = taps * image.channels;
  const ld = roundUp(depth, 128 / bitsOf[t]);
  const before = [...image.before];
  let weights: Cpp;
  if (literal)
    weights = k.weight(packedWindows(literal, { groups: attrs.groups, merged, padded: image.channels }));
  else {
    weights = k.scratch(ctype[t], cpp`${m * ld * (bitsOf[t] / 8)}`);
    const one = (name: string, d: Dim) => ({ type: cpp`int64_t`, name: new Cpp(name), value: k.fresh(d) });
    before.push({
      body: cpp`ait::gpu::pack_conv_weights(from, to, rows, ${int(cpp`own`)}, ${int(cpp`taps`)}, ${int(cpp`padded`)}, pitch);`,
      grid: [cpp`${Math.ceil((m * ld) / 256)}`],
      threads: 256,
      values: [
        { type: cpp`const ${ctype[t]}*`, name: cpp`from`, value: k.input(1) },
        { type: cpp`${ctype[t]}*`, name: cpp`to`, value: weights },
        one('rows', m),
        one('own', c),
        one('taps', taps),
        one('padded', image.channels),
        one('pitch', ld),
      ],
      alone: ['ait/gpu/conv.h'],
    });
  }
  const rows = numel(shapeOf(outputs[0]!).slice(0, -1));
  const problem: Problem = {
    rows: typical(rows),
    columns: n,
    depth,
    count: groups,
    element: t,
    mostSplits: splitsFor(rows),
  };
  const call: WindowCall = {
    node,
    problem,
    image,
    weights,
    ld,
    groups,
    taps,
    rows: k.fresh(rows),
    batch: k.fresh(shapeOf(inputs[0]!)[0]!),
    windows: windowsText(node, k, image.channels, groups * image.channels),
    epilogue,
    result: { text: alignedOutput(k), type: dtypeOf(outputs[0]!) },
  };
  const unit = unitOf(t, k);
  const plain = chooseTile(unit.tiles, problem, k.target, unit.sums);
  const boxed = { ...problem, depth: taps * roundUp(image.channels, 64) };
  const wide =
    isHalf(t) && literal && groups === 1 && n % 8 === 0 && image.channels % 8 === 0 && boxesReach(attrs)
      ? wideTile(boxed, plain, k)
      : false;
  const launches = byDevice(k, wide && (() => wideConv(call, wide, k)), () =>
    tiledConv(call, plain, unit, k),
  );
  return [...before, ...launches];
}

/** What a map of windows can express. */
const boxesReach = ({ kernel, strides, dilations, pads }: ConvAttrs): boolean =>
  kernel.length <= 2 &&
  strides.every((s) => s <= 8) &&
  kernel.every((d, i) => (d - 1) * dilations[i]! <= 120) &&
  pads.every((p) => typeof p === 'number' && p >= 0 && p <= 120);

export interface WindowCall {
  readonly node: Spatial;
  readonly problem: Problem;
  readonly image: Image;
  readonly weights: Cpp;
  readonly ld: number;
  readonly groups: number;
  readonly taps: number;
  readonly rows: Cpp;
  readonly batch: Cpp;
  readonly windows: Cpp;
  readonly epilogue: Cpp;
  readonly result: { readonly text: Cpp; readonly type: Problem['element'] };
}

/** `filled`: what lies around the image is not zero. */
export function tiledConv(
  c: WindowCall,
  { tile, splits }: Choice,
  unit: Unit,
  k: GpuBuilder,
  filled = false,
): readonly Launch[] {
  const { problem, groups, result } = c;
  const { sums } = unit;
  const n = problem.columns;
  const width = storeWidth(result.type, n);
  const columns = cpp`${groups * n}`;
  const partial =
    splits > 1 && k.scratch(ctype[sums], cpp`${splits} * ${c.rows} * ${columns} * ${bitsOf[sums] / 8}`);
  const rank = c.node.attrs.kernel.length === 3 ? 3 : 2;
  const shape = cpp`{${c.windows}, ${int(c.batch)}, ${int(k.fresh(groups))}, ${int(k.fresh(n))}, ${int(k.fresh(c.taps))}}`;
  const launch: Launch = {
    body: cpp`
      using Unit = ${unit.text};
      using Tiling = ${tilingText(tile, problem.element)};
      const ait::gpu::ConvShape shape = ${shape};
      ait::gpu::conv<Unit, Tiling, ait::gpu::ImageOperands<Unit, Tiling, ${c.image.vector}, ${rank}${filled && cpp`, true`}>, ${partial ? Math.min(4, width) : width}>(${c.image.text}, ${c.weights}, ${k.fresh(c.ld)}, ${partial || result.text}, shape, ${partial ? unit.partial : c.epilogue});
    `,
    grid: [
      cpp`${groups * Math.ceil(n / tile.columns)} * ait::gpu::blocks(${c.rows}, ${tile.rows})`,
      cpp`${splits}`,
    ],
    threads: threadsOf(tile, k.target),
    shared: cpp`${sharedBytes(tile, sums, k.target)}`,
  };
  if (!partial) return [launch];
  const reduce = reduceLaunch(k, partial, result, [c.rows, k.fresh(groups * n)], width, splits, c.epilogue);
  return [launch, reduce];
}

function wideConv(c: WindowCall, choice: Choice, k: GpuBuilder): readonly Launch[] {
  k.include('ait/gpu/conv_sm90.h');
  const { tile, splits } = choice;
  const t = c.problem.element;
  const [extents, places, kernel, strides, dilations, pads] = windowExtents(c.node, 2).map((xs) =>
    xs.map((d) => k.fresh(d)),
  ) as [Cpp[], Cpp[], Cpp[], Cpp[], Cpp[], Cpp[]];
  const [n, channels, taps, ld] = [c.problem.columns, c.image.channels, c.taps, c.ld].map((d) =>
    k.fresh(d),
  ) as [Cpp, Cpp, Cpp, Cpp];
  const walk = [...places, kernel[1]!, ...strides, ...dilations, ...pads, taps, channels].map(int);
  const boxes = [c.batch, ...extents, channels, ...places, ...strides, ...pads];
  const bf16 = flag(t === 'bf16');
  return wideLaunches(choice, k, {
    call: (out, epilogue) =>
      cpp`ait::gpu::conv_sm90<${ctype[t]}, ${wideText(tile)}>(window_map, weights_map, ${out}, ait::gpu::WindowWalk{${join(walk, ', ')}}, ${int(c.rows)}, ${int(n)}, ${splits}, ${epilogue});`,
    maps: {
      window_map: cpp`ait::gpu::windows_map(ctx, ${hostAddress(k, c.image.text)}, ${bf16}, {${join(boxes, ', ')}}, ${tile.rows})`,
      weights_map: cpp`ait::gpu::taps_map(ctx, ${c.weights}, ${bf16}, ${k.fresh(paddedRows(c.problem.columns))}, ${taps}, ${channels}, ${ld}, ${tile.columns})`,
    },
    sizes: [c.rows, n],
    result: c.result,
    epilogue: c.epilogue,
  });
}
