import { Cpp, cpp, join, str } from '../cpp.js';
import type { DeviceFunction, KernelSource } from '../kernel.js';
import type { SourceFile } from '../module.js';
import type { GpuTarget } from '../target.js';
import { functionName } from './builder.js';

/** The functions of the device that kernels launch, each once. */
export function deviceFunctions(kernels: readonly KernelSource[]): readonly DeviceFunction[] {
  const all = kernels.flatMap((k) => k.device ?? []);
  return [...new Map(all.map((f) => [f.entry.text, f])).values()];
}

export const deviceUnit = (f: DeviceFunction): SourceFile => ({
  name: `${f.entry}.device`,
  text: f.text,
  device: f.entry.text,
  archs: f.archs,
});

/** The symbol under which the library holds a function's code for one device. */
export const imageName = (entry: string, arch: string): string => `ait_image_${entry}_${arch}`;

/** The host's functions that launch: short, so they share one unit. */
export function launchUnit(kernels: readonly KernelSource[]): SourceFile {
  const functions = deviceFunctions(kernels);
  const text = cpp`
    #include "ait/gpu/launch.h"

    ${functions.map((f) => cpp`extern ait::gpu::Function ${functionName(f.entry)};`)}

    ${join(
      kernels.map((k) => k.definition),
      '\n\n',
    )}
  `;
  return { name: 'launches.cpp', text: `${text}\n` };
}

/** Definitions of the objects that stand for the device's functions, and the list of them. */
export function functionTable(kernels: readonly KernelSource[], target: GpuTarget): Cpp {
  const functions = deviceFunctions(kernels);
  const names = functions.map((f) => cpp`&${functionName(f.entry)}`);
  return cpp`
    ${join(
      functions.map((f) =>
        target.api === 'emulated' ? emulated(f) : inLibrary(f, f.archs.length < target.archs.length),
      ),
      '\n',
    )}

    extern "C" ait::gpu::Function* const ait_functions[] = {${join([...names, cpp`nullptr`], ', ')}};
  `;
}

function emulated({ entry }: DeviceFunction): Cpp {
  return cpp`
    extern "C" void ${entry}_emulated(void* const*);
    ait::gpu::Function ${functionName(entry)} = {${str(entry.text)}, nullptr, ${entry}_emulated, false};
  `;
}

/** `some`: other devices have another function instead. */
function inLibrary({ entry, archs }: DeviceFunction, some: boolean): Cpp {
  const symbols = archs.map((a) => new Cpp(imageName(entry.text, a)));
  const rows = archs.map((a, i) => cpp`{${str(a)}, ${symbols[i]!}}`);
  return cpp`
    ${symbols.map((s) => cpp`extern "C" const unsigned char ${s}[];`)}
    static const ait::gpu::Image images_${entry}[] = {${join([...rows, cpp`{nullptr, nullptr}`], ', ')}};
    ait::gpu::Function ${functionName(entry)} = {${str(entry.text)}, images_${entry}, nullptr, ${new Cpp(String(some))}};
  `;
}
