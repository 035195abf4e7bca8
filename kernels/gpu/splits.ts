import { type Cpp, cpp } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import type { Dim } from '../../src/ir/dim.js';
import type { DType } from '../../src/ir/type.js';
import { atMost } from './vector-width.js';

/** Partial sums must not take much memory where the run may have any number of rows. */
export const splitsFor = (rows: Dim): number => (Number.isFinite(atMost(rows)) ? 16 : 4);

/** Adds up partial sums behind launches that made them. */
export function reduceLaunch(
  k: GpuBuilder,
  partial: Cpp,
  to: { readonly text: Cpp; readonly type: DType },
  [rows, columns]: readonly [Cpp, Cpp],
  width: number,
  splits: number,
  epilogue: Cpp,
): Launch {
  k.include('ait/gpu/contraction.h');
  return {
    body: cpp`ait::gpu::reduce_splits<${width}>(${partial}, ${to.text}, ${rows}, ${columns}, ${splits}, ${epilogue});`,
    grid: [cpp`ait::gpu::blocks(${rows} * ${columns}, ${256 * width})`],
    threads: 256,
  };
}
