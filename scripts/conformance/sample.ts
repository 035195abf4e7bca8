import { Xoshiro128 } from '../../src/accuracy/random.js';

/** `count` of the items, drawn by the seed, in their own order. */
export function sample<T>(items: readonly T[], count: number, seed: number): readonly T[] {
  const random = Xoshiro128.seeded(seed, 'sample');
  const keyed = items.map((item, at) => ({ item, at, key: random.next() }));
  const chosen = keyed.sort((a, b) => a.key - b.key).slice(0, count);
  return chosen.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
