import type { WeightStore } from '../codegen/host-program.js';
import type { WeightsWriter } from './artifact/weights.js';
import type { Literal } from './ir/literal.js';

/** Each constant once, however many kernels read it. */
export function storeIn(writer: WeightsWriter): WeightStore {
  const known = new Map<Literal, number>();
  return {
    get bytes() {
      return writer.bytes;
    },
    append: (l) => {
      let at = known.get(l);
      if (at === undefined) {
        const read = (offset = 0, length = l.byteLength - offset): Uint8Array => l.read(offset, length);
        at = writer.append(`constant_${known.size}`, { byteLength: l.byteLength, read });
        known.set(l, at);
      }
      return at;
    },
  };
}
