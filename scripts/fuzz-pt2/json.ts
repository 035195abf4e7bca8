import type { Chance } from '../fuzz/chance.js';

export type Tree = null | boolean | number | string | Tree[] | { [key: string]: Tree };

type Place = readonly [node: { [key: string]: Tree }, key: string];

/** Every place in a tree, as the object or list and the key. */
function placesOf(tree: Tree): readonly Place[] {
  const places: Place[] = [];
  const stack: Tree[] = [tree];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (typeof top !== 'object' || top === null) continue;
    const node = top as { [key: string]: Tree };
    for (const key of Object.keys(node)) {
      places.push([node, key]);
      stack.push(node[key]!);
    }
  }
  return places;
}

const numbers: readonly Tree[] = [
  0,
  1,
  2,
  -1,
  -2,
  7,
  255,
  65_536,
  2 ** 31,
  -(2 ** 31),
  2 ** 40,
  1.5,
  1e300,
  '#9007199254740993',
  '#9223372036854775807',
  '#-9223372036854775808',
  '#1e999',
  '#123456789012345678901234567890',
];
const texts: readonly Tree[] = [
  '',
  'x',
  '..',
  '__proto__',
  'constructor',
  '\0',
  'torch.ops.aten.add.Tensor',
  'torch.ops.aten.cat.default',
  'torch.ops.aten.view.default',
  'torch.ops.aten.nonexistent.default',
  'torch.ops.higher_order.cond',
  "Symbol('s99')",
  'Mul(Integer(2), Pow(Symbol("a"), Integer(9)))',
  '('.repeat(2000),
  'Integer(1'.repeat(200),
  'Infinity',
  'NaN',
  'y'.repeat(10_000),
];
const values: readonly Tree[] = [
  null,
  true,
  false,
  [],
  {},
  [null],
  { as_int: -7 },
  { as_none: true },
  { as_tensor: { name: 'x' } },
  { as_hologram: 1 },
  { as_int: 1, as_float: 2 },
  { as_ints: [] },
  { as_expr: { expr_str: "Symbol('s0')", hint: null } },
];

const forms = [
  'as_int',
  'as_ints',
  'as_float',
  'as_floats',
  'as_bool',
  'as_string',
  'as_none',
  'as_tensor',
  'as_tensors',
  'as_sym_int',
  'as_sym_ints',
  'as_optional_tensors',
  'as_optional_tensor',
  'as_graph',
  'as_scalar_type',
  'as_complex',
  'as_operator',
  'as_name',
];

type Mutation = (place: Place, places: readonly Place[], chance: Chance) => void;

function renamed([node, key]: Place, to: string): void {
  if (Array.isArray(node)) return;
  const value = node[key]!;
  delete node[key];
  Object.defineProperty(node, to, { value, enumerable: true, configurable: true, writable: true });
}

const at = (
  places: readonly Place[],
  chance: Chance,
  is: (v: Tree, key: string) => boolean,
): Place | undefined => {
  const fitting = places.filter(([node, key]) => is(node[key]!, key));
  return fitting.length === 0 ? undefined : chance.pick(fitting);
};

const swapped =
  (is: (v: Tree, key: string) => boolean, by: readonly Tree[]): Mutation =>
  (place, places, chance) => {
    const [node, key] = at(places, chance, is) ?? place;
    node[key] = structuredClone(chance.pick(by));
  };

/** Lists with one item left out, given twice, moved, or many times. */
const listChanged: Mutation = (place, places, chance) => {
  const [node, key] = at(places, chance, (v) => Array.isArray(v) && v.length > 0) ?? place;
  const list = node[key];
  if (!Array.isArray(list)) return;
  const i = chance.below(list.length);
  switch (chance.below(4)) {
    case 0:
      list.splice(i, 1);
      break;
    case 1:
      list.splice(i, 0, structuredClone(list[i]!));
      break;
    case 2:
      list.reverse();
      break;
    default:
      for (let n = 0; n < 50; n++) list.push(structuredClone(list[i]!));
  }
};

const mutations: Readonly<Record<string, Mutation>> = {
  'number changed': swapped((v) => typeof v === 'number', numbers),
  'text changed': swapped((v) => typeof v === 'string', texts),
  'value replaced': ([node, key], _, chance) => {
    node[key] = structuredClone(chance.pick(values));
  },
  'list changed': listChanged,
  'key left out': ([node, key]) => {
    if (Array.isArray(node)) node.splice(Number(key), 1);
    else delete node[key];
  },
  'key renamed': (place, places, chance) => {
    renamed(
      at(places, chance, (_, key) => !/^\d+$/.test(key)) ?? place,
      chance.pick(['x', '__proto__', ...forms]),
    );
  },
  'form exchanged': (place, places, chance) => {
    renamed(at(places, chance, (_, key) => key.startsWith('as_')) ?? place, chance.pick(forms));
  },
  'operator exchanged': (place, places, chance) => {
    const targets = places.filter(([, key]) => key === 'target');
    if (targets.length === 0) return;
    const [node, key] = chance.pick(targets);
    const [other, name] = chance.pick(targets);
    node[key] = other[name]!;
    void place;
  },
  'part of elsewhere': ([node, key], places, chance) => {
    const [from, name] = chance.pick(places);
    node[key] = structuredClone(from[name]!);
  },
  'name exchanged': (place, places, chance) => {
    const all = places.filter(([, key]) => key === 'name' || key === 'as_name');
    const [node, key] = all.length === 0 ? place : chance.pick(all);
    const [other, name] = all.length === 0 ? place : chance.pick(all);
    node[key] = structuredClone(other[name]!);
  },
  'nested deeply': ([node, key], _, chance) => {
    let value: Tree = node[key]!;
    for (let n = chance.pick([10, 150, 1000]); n > 0; n--)
      value = chance.once(2) ? [value] : { as_tensor: value };
    node[key] = value;
  },
};

/** A tree with one thing about it changed; it is changed itself. */
export function mutateJson(
  tree: Tree,
  donor: Tree,
  chance: Chance,
): { readonly tree: Tree; readonly kind: string } {
  const places = placesOf(tree);
  if (places.length === 0) return { tree, kind: 'nothing left' };
  if (chance.once(12)) {
    const theirs = placesOf(donor);
    const [node, key] = chance.pick(places);
    const alike = theirs.filter(([, k]) => k === key);
    const [from, name] = chance.pick(alike.length > 0 ? alike : theirs);
    node[key] = structuredClone(from[name]!);
    return { tree, kind: 'part of another program' };
  }
  const [kind, mutate] = chance.pick(Object.entries(mutations));
  mutate(chance.pick(places), places, chance);
  return { tree, kind };
}
