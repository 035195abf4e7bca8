import { Xoshiro128 } from '../../src/accuracy/random.js';

/** The items in an order drawn by the seed. */
export function shuffled<T>(items: readonly T[], seed: number): readonly T[] {
  const random = Xoshiro128.seeded(seed, 'sample');
  const keyed = items.map((item) => ({ item, key: random.next() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
