import { Cpp, cpp } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import type { DType } from '../../src/ir/type.js';
import { noEpilogue } from './epilogue.js';
import { reduceLaunch } from './splits.js';
import { type Choice, chooseTile, type Problem, wideShared } from './tiles.js';
import { storeWidth } from './vector-width.js';

const hasHopper = (k: GpuBuilder): boolean => k.target.archs.includes('sm_90a');

/** The launches of a contraction: `wide` on devices of sm_90a, `plain` on the others. */
export function byDevice(
  k: GpuBuilder,
  wide: (() => readonly Launch[]) | false,
  plain: () => readonly Launch[],
): readonly Launch[] {
  if (wide === false || !hasHopper(k)) return plain();
  const onHopper = wide().map((l) => ({ ...l, hopper: true }));
  if (k.target.archs.every((a) => a === 'sm_90a')) return onHopper;
  return [...onHopper, ...plain().map((l) => ({ ...l, hopper: false }))];
}

/** The tile of a Hopper's own instructions, if that is cheaper there than the one for every device. */
export function wideTile(problem: Problem, plain: Choice, k: GpuBuilder): Choice | false {
  if (!hasHopper(k)) return false;
  const wide = chooseTile('wide', problem, k.target, 'f32');
  return wide.cost < plain.cost && wide;
}

export interface WideCall {
  readonly call: (out: Cpp, epilogue: Cpp) => Cpp;
  readonly maps: Readonly<Record<string, Cpp>>;
  readonly sizes: readonly [Cpp, Cpp];
  readonly result: { readonly text: Cpp; readonly type: DType };
  readonly epilogue: Cpp;
  readonly apart?: boolean;
}

/** Persistent blocks, as many as the device runs at once, and the reduction behind splits. */
export function wideLaunches({ tile, splits }: Choice, k: GpuBuilder, w: WideCall): readonly Launch[] {
  const [rows, columns] = w.sizes;
  const partial = splits > 1 && k.scratch(cpp`float`, cpp`${splits} * ${rows} * ${columns} * 4`);
  const count = cpp`ait::gpu::blocks(${rows}, ${tile.rows}) * ait::gpu::blocks(${columns}, ${tile.columns}) * ${splits}`;
  const launch: Launch = {
    body: w.call(partial || w.result.text, partial ? noEpilogue('f32') : w.epilogue),
    grid: [cpp`ait::gpu::at_most(${count}, ait::gpu::multiprocessors(ctx) * ${tile.blocks})`],
    threads: 128 * (tile.warps[0] + 1),
    blocks: tile.blocks,
    early: true,
    shared: cpp`${wideShared(tile, w.apart)}`,
    values: Object.entries(w.maps).map(([name, value]) => ({
      type: cpp`ait::gpu::TensorMap`,
      name: new Cpp(name),
      value,
      constant: true as const,
    })),
  };
  if (!partial) return [launch];
  const width = w.apart ? 1 : storeWidth(w.result.type, 8);
  return [launch, reduceLaunch(k, partial, w.result, w.sizes, width, splits, w.epilogue)];
}
