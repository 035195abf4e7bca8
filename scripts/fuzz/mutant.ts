import { readFileSync } from 'node:fs';
import { decodeModel } from '../../src/onnx/decode.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { byteMutations, mutateBytes } from './bytes.js';
import { Chance } from './chance.js';
import { modelMutations, mutateModel } from './model.js';

export interface Material {
  /** Files small enough to be read, changed and lowered by the thousand. */
  readonly small: readonly string[];
  readonly large: readonly string[];
}

export interface Mutant {
  readonly source: string;
  /** What was done to it, in order. */
  readonly kinds: readonly string[];
  readonly bytes: Uint8Array;
}

/** One in so many mutants is made of a large file. */
const largeOnce = 40;

const cached = new Map<string, Uint8Array>();

function read(file: string): Uint8Array {
  let bytes = cached.get(file);
  if (bytes === undefined) {
    bytes = new Uint8Array(readFileSync(file));
    if (bytes.length < 1 << 16) cached.set(file, bytes);
  }
  return bytes;
}

/** Mutant number `index` of a seed: the same wherever and whenever it is made. */
export function mutantOf({ small, large }: Material, seed: number, index: number): Mutant {
  const chance = new Chance(seed, `mutant ${index}`);
  const source = chance.pick(large.length > 0 && chance.once(largeOnce) ? large : small);
  const donor = chance.pick(small);
  const original = read(source);
  if (chance.once(4)) {
    const kind = chance.pick(byteMutations);
    return { source, kinds: [kind], bytes: mutateBytes(original, read(donor), kind, chance) };
  }
  let model = decodeModel(original);
  const other = decodeModel(read(donor));
  const kinds: string[] = [];
  for (let n = chance.pick([1, 1, 1, 2, 3]); n > 0; n--) {
    const kind = chance.pick(modelMutations);
    kinds.push(kind);
    model = mutateModel(model, other, kind, chance);
  }
  return { source, kinds, bytes: encodeModel(model) };
}
