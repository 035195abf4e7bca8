/** What the CPU code generator needs to know of the machine the engine is for. */
export interface CpuTarget {
  readonly kind: 'cpu';
  /** As given to -march: native, x86-64-v3, … */
  readonly arch: string;
  /** The recorded requirement, checked when the engine is loaded: x86-64-v4, x86-64-v3, x86-64, generic. */
  readonly isa: string;
  /** The instruction set macros the compiler defines, part of every cache key. */
  readonly features: string;
  /** f32 lanes of a vector register: 16 AVX-512, 8 AVX, else 4. Fixes the packing of weights. */
  readonly lanes: number;
}

/** Register tile of the f32 contraction kernels, rows × columns; the columns are the width of a packed panel. */
export const gemmTile = (t: CpuTarget): { readonly rows: number; readonly columns: number } =>
  t.lanes === 16
    ? { rows: 14, columns: 32 }
    : t.lanes === 8
      ? { rows: 6, columns: 16 }
      : { rows: 4, columns: 8 };

/** How the host program talks to the device, and what compiles for it. */
export type DeviceApi = 'cuda' | 'hip' | 'emulated';

/** What the GPU code generator needs to know: the devices that the engine is for, and its host. */
export interface GpuTarget {
  readonly kind: 'gpu';
  readonly api: DeviceApi;
  /** Devices with code in the library: sm_80, sm_90a, gfx90a, … */
  readonly archs: readonly string[];
  readonly host: CpuTarget;
}

/** Lanes of a warp. Emulation has those of either vendor. */
export const warpOf = ({ api, archs }: GpuTarget): number =>
  api === 'hip' || (api === 'emulated' && archs[0] === 'emulated64') ? 64 : 32;

export type Target = CpuTarget | GpuTarget;

export const hostOf = (t: Target): CpuTarget => (t.kind === 'cpu' ? t : t.host);
