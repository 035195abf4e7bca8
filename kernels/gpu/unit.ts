import { type Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { warpOf } from '../../codegen/target.js';
import type { DType } from '../../src/ir/type.js';
import { noEpilogue } from './epilogue.js';
import type { TileKind } from './tiles.js';

/** What multiplies elements, and the tiles for it. */
export interface Unit {
  readonly text: Cpp;
  readonly tiles: TileKind;
  /** Type of the sums, and what is done with those of a part of the depth. */
  readonly sums: DType;
  readonly partial: Cpp;
}

/** Which matrix unit, or ordinary arithmetic, multiplies elements of a type. */
export function unitOf(t: DType, k: GpuBuilder): Unit {
  return { ...multiplierOf(t, k), sums: computeType(t), partial: noEpilogue(t) };
}

function multiplierOf(t: DType, k: GpuBuilder): Pick<Unit, 'text' | 'tiles'> {
  if (t === 'f16' || t === 'bf16') return { text: cpp`ait::gpu::MatrixUnit<${ctype[t]}>`, tiles: 'matrix' };
  if (t === 'f32') {
    const unit = k.node.attrs.tf32 === true ? cpp`ait::tf32` : ctype[t];
    return { text: cpp`ait::gpu::MatrixUnit<${unit}>`, tiles: 'float' };
  }
  if (t === 'f64' && warpOf(k.target) === 32)
    return { text: cpp`ait::gpu::MatrixUnit<double>`, tiles: 'float' };
  return { text: cpp`ait::gpu::ScalarUnit<${ctype[t]}>`, tiles: 'plain' };
}

export const isHalf = (t: DType): boolean => t === 'f16' || t === 'bf16';
