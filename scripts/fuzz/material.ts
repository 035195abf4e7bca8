import { stat } from 'node:fs/promises';
import { suite } from '../suite-fetch.js';
import { zoo } from '../zoo-fetch.js';
import type { Material } from './mutant.js';

const smallBytes = 40_000;
const largeBytes = 1_500_000;

/** The models that are mutated: those of the suites, and of the zoo those that are read in a moment. */
export async function material(): Promise<Material> {
  const files = [...(await suite()).map((c) => c.model), ...(await zoo()).map((m) => m.file)];
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const within = (from: number, to: number): readonly string[] =>
    files.filter((_, i) => sizes[i]! > from && sizes[i]! <= to);
  return { small: within(0, smallBytes), large: within(smallBytes, largeBytes) };
}
