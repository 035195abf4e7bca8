import { readFileSync } from 'node:fs';
import { type Written, zipOf } from '../../importers/pt2/zip.fixtures.js';
import { readZip } from '../../importers/pt2/zip.js';
import { memoryBlob } from '../../src/support/blob.js';
import { Chance } from '../fuzz/chance.js';
import { mutateJson, type Tree } from './json.js';

export interface Mutant {
  readonly source: string;
  readonly kinds: readonly string[];
  readonly bytes: Uint8Array;
  /** The safetensors file of a JSON file. */
  readonly beside?: Uint8Array;
}

type Change = (bytes: Uint8Array, chance: Chance) => Uint8Array;

const overwritten: Change = (bytes, chance) => {
  const out = bytes.slice();
  const from = chance.below(out.length);
  const value = chance.pick([0, 0xff, 0x80, 0x7f, undefined]);
  for (let i = from; i < Math.min(out.length, from + 1 + chance.below(16)); i++)
    out[i] = value ?? chance.below(256);
  return out;
};

const flipped: Change = (bytes, chance) => {
  const out = bytes.slice();
  for (let n = 1 + chance.below(8); n > 0; n--) out[chance.below(out.length)]! ^= 1 << chance.below(8);
  return out;
};

const byteChanges: Readonly<Record<string, Change>> = {
  'flipped bits': flipped,
  'overwritten bytes': overwritten,
  truncated: (bytes, chance) => bytes.slice(0, chance.below(bytes.length)),
  'bytes put in or left out': (bytes, chance) => {
    const at = chance.below(bytes.length);
    const rest = bytes.subarray(at + chance.below(64));
    return Buffer.concat([bytes.subarray(0, at), new Uint8Array(chance.below(64)), rest]);
  },
  'directory changed': (bytes, chance) => {
    const out = bytes.slice();
    // The directory and the end record are the last of the file.
    const from = Math.max(0, out.length - 60 * (1 + chance.below(30)));
    for (let n = 1 + chance.below(4); n > 0; n--)
      out[from + chance.below(out.length - from)] = chance.pick([0, 0xff, 1, 8, chance.below(256)]);
    return out;
  },
};

const names = [
  '../../etc/passwd',
  '/etc/passwd',
  'a\0b',
  '',
  '..',
  'x\\..\\y',
  'm/models/model.json',
  '__proto__',
];

type Members = readonly Written[];

const memberChanges: Readonly<Record<string, (members: Members, chance: Chance) => Members>> = {
  'member left out': (members, chance) => chance.changed(members, () => []),
  'member twice': (members, chance) => chance.changed(members, (m) => [m, m]),
  'member emptied': (members, chance) => chance.changed(members, (m) => ({ ...m, data: new Uint8Array(0) })),
  'member of another': (members, chance) =>
    chance.changed(members, (m) => ({ ...m, data: chance.pick(members).data })),
  'member renamed': (members, chance) =>
    chance.changed(members, (m) => ({ ...m, name: chance.pick([...names, chance.pick(members).name]) })),
  'member compressed': (members, chance) =>
    chance.changed(members, (m) => ({ ...m, method: chance.pick([8, 9, 12, 14, 93, 99]) })),
  'member of another size': (members, chance) =>
    chance.changed(members, (m) => ({
      ...m,
      claimed: chance.pick([0, 1, m.data.length + 1, 2 ** 31, 2 ** 32 - 1]),
    })),
  'zip64 sizes': (members, chance) =>
    chance.changed(members, (m) => ({
      ...m,
      zip64: true,
      claimed: chance.pick([m.data.length, 0, 2 ** 40, Number.MAX_SAFE_INTEGER]),
    })),
  'member damaged': (members, chance) => {
    const change = chance.pick(Object.values(byteChanges));
    return chance.changed(members, (m) => ({
      ...m,
      data: m.data.length === 0 ? m.data : change(m.data, chance),
    }));
  },
};

interface Source {
  readonly bytes: Uint8Array;
  readonly beside?: Uint8Array;
  readonly members: Members;
  readonly trees: ReadonlyMap<string, Tree>;
}

const sources = new Map<string, Source>();

function sourceOf(path: string): Source {
  let source = sources.get(path);
  if (!source) {
    const bytes = new Uint8Array(readFileSync(path));
    if (path.endsWith('.json')) return jsonSource(path, bytes);
    const members = [...readZip(memoryBlob(bytes)).values()].map((m) => ({
      name: m.name,
      data: m.blob.read(),
    }));
    const trees = new Map(
      members
        .filter((m) => m.name.endsWith('.json'))
        .map((m) => [m.name, JSON.parse(new TextDecoder().decode(m.data)) as Tree]),
    );
    source = { bytes, members, trees };
    sources.set(path, source);
  }
  return source;
}

function jsonSource(path: string, bytes: Uint8Array): Source {
  const tree = JSON.parse(new TextDecoder().decode(bytes)) as Tree;
  const beside = new Uint8Array(readFileSync(path.replace(/json$/, 'safetensors')));
  const source = { bytes, beside, members: [], trees: new Map([[jsonName, tree]]) };
  sources.set(path, source);
  return source;
}

const jsonName = 'models/graph.json';

const programOf = (s: Source): string | undefined =>
  [...s.trees.keys()].find((name) => /models\/\w+\.json$|exported_program\.json$/.test(name));

/** Mutant number `index` of a seed: the same wherever and whenever it is made. */
export function mutantOf(files: readonly string[], seed: number, index: number): Mutant {
  const chance = new Chance(seed, `archive ${index}`);
  const path = chance.pick(files);
  const source = sourceOf(path);
  const also = source.beside ? { beside: source.beside } : {};
  if (chance.once(6)) {
    const [kind, change] = chance.pick(Object.entries(byteChanges));
    if (source.beside && chance.once(2))
      return { source: path, kinds: [kind], bytes: source.bytes, beside: change(source.beside, chance) };
    return { source: path, kinds: [kind], bytes: change(source.bytes, chance), ...also };
  }
  let { members } = source;
  const kinds: string[] = [];
  if (members.length > 0 && chance.once(5)) {
    const [kind, change] = chance.pick(Object.entries(memberChanges));
    return { source: path, kinds: [kind], bytes: zipOf(change(members, chance)) };
  }
  const configs = [...source.trees.keys()].filter((name) => name.endsWith('_config.json'));
  const name = configs.length > 0 && chance.once(5) ? chance.pick(configs) : programOf(source)!;
  const donor = sourceOf(chance.pick(files));
  let tree: Tree = structuredClone(source.trees.get(name)!);
  for (let n = chance.pick([1, 1, 1, 2, 3]); n > 0; n--) {
    const changed = mutateJson(tree, donor.trees.get(programOf(donor)!)!, chance);
    tree = changed.tree;
    kinds.push(changed.kind);
  }
  const data = new TextEncoder().encode(written(tree));
  if (source.beside) return { source: path, kinds, bytes: data, ...also };
  members = members.map((m) => (m.name === name ? { ...m, data } : m));
  return { source: path, kinds, bytes: zipOf(members) };
}

/** JSON in which the text "#N" stands for the number N, of any length. */
const written = (tree: Tree): string => JSON.stringify(tree).replace(/"#(-?[\d.eE+-]+)"/g, '$1');
