import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import { bounds, numel, type Shape } from '../../src/ir/dim.js';

/** Extents that only the run knows are taken to be below this, which the host checks. */
const large = 2 ** 31;

/** The type of an index into tensors of these shapes: divisions are cheap in 32 bits only. */
export function indexType(...shapes: readonly Shape[]): Cpp {
  const fits = shapes.every((s) => bounds(numel(s))[1] < large);
  return fits ? cpp`uint32_t` : cpp`uint64_t`;
}

/** Indices `i0`, `i1`, … of element i of a dense tensor. */
export function indexText(extents: readonly Cpp[], type: Cpp): readonly Cpp[] {
  return extents.map((extent, d) => {
    const below = extents.slice(d + 1);
    const div = below.length === 0 ? cpp`i` : cpp`i / static_cast<${type}>(${join(below, ' * ')})`;
    const rest = d === 0 ? div : cpp`${div} % static_cast<${type}>(${extent})`;
    return cpp`[[maybe_unused]] const ${type} i${d} = ${rest};`;
  });
}

/** An extent as an int. */
export const int = (x: Cpp): Cpp => cpp`static_cast<int>(${x})`;
