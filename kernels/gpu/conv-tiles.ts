import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { bitsOf } from '../../src/ir/type.js';
import type { ConvAttrs } from '../../src/ops/conv.js';
import { flag } from '../shared/elements.js';
import { type Spatial, windowExtents } from '../shared/window.js';
import { hostAddress } from './aligned.js';
import type { Image } from './conv-image.js';
import { wideLaunches } from './hopper.js';
import { int } from './index-text.js';
import { paddedRows } from './packed-weights.js';
import { reduceLaunch } from './splits.js';
import { type Choice, type Problem, sharedBytes, threadsOf, tilingText, wideText } from './tiles.js';
import type { Unit } from './unit.js';
import { storeWidth } from './vector-width.js';

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

/** What a map of windows can express. */
export const boxesReach = ({ kernel, strides, dilations, pads }: ConvAttrs): boolean =>
  kernel.length <= 2 &&
  strides.every((s) => s <= 8) &&
  kernel.every((d, i) => (d - 1) * dilations[i]! <= 120) &&
  pads.every((p) => typeof p === 'number' && p >= 0 && p <= 120);

export function wideConv(c: WindowCall, choice: Choice, k: GpuBuilder): readonly Launch[] {
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
