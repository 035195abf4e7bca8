import { Cpp, cpp, join } from '../../codegen/cpp.js';

/** Arrays of f32 in a kernel's scratch memory, each aligned to 64 bytes. */
export class Scratch {
  readonly #sizes: Cpp[] = [];
  readonly #names: Cpp[] = [];

  /** Reserves `size` elements; the name is declared by `text`. */
  floats(name: string, size: Cpp): Cpp {
    this.#names.push(new Cpp(name));
    this.#sizes.push(size);
    return this.#names.at(-1)!;
  }

  /** Declares the arrays. Nothing may ask for scratch memory after it. */
  text(): Cpp | false {
    if (this.#names.length === 0) return false;
    return cpp`
      const int64_t places[] = {${join(
        this.#sizes.map((s) => cpp`ait::ceil_div(${s}, 16) * 16`),
        ', ',
      )}};
      int64_t place_bytes = 0;
      for (const int64_t p : places) place_bytes += p * int64_t{4};
      float* const space = static_cast<float*>(ctx.scratch(static_cast<size_t>(place_bytes)));
      if (space == nullptr) return ctx.fail("out of memory");
      ${this.#names.map((n, i) => cpp`float* const ${n} = ${i === 0 ? cpp`space` : cpp`${this.#names[i - 1]!} + places[${i - 1}]`};`)}
    `;
  }
}
