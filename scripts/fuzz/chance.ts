import { Xoshiro128 } from '../../src/accuracy/random.js';

/** The draws of one mutant. */
export class Chance {
  readonly #random: Xoshiro128;

  constructor(seed: number, stream: string) {
    this.#random = Xoshiro128.seeded(seed, stream);
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.#random.integer(0, Math.max(1, limit) - 1);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return item as T;
  }

  /** The items with one of them changed; `change` may give any number of them. */
  changed<T>(items: readonly T[], change: (item: T) => T | readonly T[]): readonly T[] {
    const at = this.below(items.length);
    return items.flatMap((item, i) => (i === at ? change(item) : [item]));
  }
}
