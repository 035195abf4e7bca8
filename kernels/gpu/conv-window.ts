import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch, LaunchValue } from '../../codegen/gpu/builder.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { bitsOf } from '../../src/ir/type.js';
import { channelsOf } from '../../src/ops/window.js';
import type { Conv } from '../shared/contractions.js';
import { tapsOf } from '../shared/window.js';
import { alignedOutput } from './aligned.js';
import { imageOf, windowsText } from './conv-image.js';
import { boxesReach, tiledConv, type WindowCall, wideConv } from './conv-tiles.js';
import { byDevice, wideTile } from './hopper.js';
import { int } from './index-text.js';
import { mergedGroups, packedWindows, roundUp } from './packed-weights.js';
import { splitsFor } from './splits.js';
import { chooseTile, type Problem } from './tiles.js';
import { isHalf, unitOf } from './unit.js';
import { typical } from './vector-width.js';

export function windowConv(
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
  const weights = literal
    ? k.weight(packedWindows(literal, { groups: attrs.groups, merged, padded: image.channels }))
    : k.scratch(ctype[t], cpp`${m * ld * (bitsOf[t] / 8)}`);
  const packing = literal
    ? []
    : [packedByRun(node, k, { to: weights, rows: m, own: c, taps, padded: image.channels, pitch: ld })];
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
  return [...image.before, ...packing, ...launches];
}

interface RunPacking {
  readonly to: Cpp;
  readonly rows: number;
  /** Channels of a group, without and with what fills them up. */
  readonly own: number;
  readonly padded: number;
  readonly taps: number;
  readonly pitch: number;
}

/** Weights that only the run knows, as `packedWindows` lays out constants. */
function packedByRun(node: Conv, k: GpuBuilder, p: RunPacking): Launch {
  const t = ctype[dtypeOf(node.inputs[1]!)];
  const extent = (name: keyof Omit<RunPacking, 'to'>): LaunchValue => ({
    type: cpp`int64_t`,
    name: new Cpp(name),
    value: k.fresh(p[name]),
  });
  return {
    body: cpp`ait::gpu::pack_conv_weights(from, to, rows, ${int(cpp`own`)}, ${int(cpp`taps`)}, ${int(cpp`padded`)}, pitch);`,
    grid: [cpp`${Math.ceil((p.rows * p.pitch) / 256)}`],
    threads: 256,
    values: [
      { type: cpp`const ${t}*`, name: cpp`from`, value: k.input(1) },
      { type: cpp`${t}*`, name: cpp`to`, value: p.to },
      ...(['rows', 'own', 'taps', 'padded', 'pitch'] as const).map(extent),
    ],
    alone: ['ait/gpu/conv.h'],
  };
}
