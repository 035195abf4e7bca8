import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../src/onnx/make.js';
import { type Attribute, attributeType, type Graph, type Node } from '../../src/onnx/types.js';
import type { Chance } from './chance.js';
import { type GraphChange, onNode } from './graph-change.js';
import { hostileNames } from './names.js';

const wholes: readonly bigint[] = [
  -(2n ** 63n),
  -(2n ** 40n),
  -9n,
  -3n,
  -2n,
  -1n,
  0n,
  1n,
  2n,
  3n,
  7n,
  64n,
  2n ** 31n,
  2n ** 40n,
  2n ** 63n - 1n,
];
const reals: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e-30,
  3e38,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Another value of the same kind. */
function otherValue(a: Attribute, chance: Chance): Attribute {
  const whole = (): bigint => chance.pick(wholes);
  const text = (): Uint8Array =>
    chance.pick([
      utf8(chance.pick(hostileNames)),
      utf8(''),
      Uint8Array.of(0xff, 0xfe, 0),
      utf8('linear'),
      utf8('ij,jk->ik'),
    ]);
  const list = <T>(items: readonly T[], item: () => T): readonly T[] =>
    chance.pick([
      [],
      items.slice(1),
      [...items, item()],
      items.map((x) => (chance.once(2) ? item() : x)),
      [...items, ...items],
    ]);
  switch (a.type) {
    case attributeType.int:
      return { ...a, i: chance.once(2) ? (a.i ?? 0n) + chance.pick([-1n, 1n]) : whole() };
    case attributeType.float:
      return { ...a, f: chance.pick(reals) };
    case attributeType.string:
      return { ...a, s: text() };
    case attributeType.ints:
      return { ...a, ints: list(a.ints, whole) };
    case attributeType.floats:
      return { ...a, floats: list(a.floats, () => chance.pick(reals)) };
    case attributeType.strings:
      return { ...a, strings: list(a.strings, text) };
    default:
      return { ...a, type: chance.below(15) };
  }
}

/** The same name with a value of another kind. */
function otherKind({ name }: Attribute, chance: Chance): Attribute {
  const make: readonly (() => Attribute)[] = [
    () => intAttribute(name, chance.pick(wholes)),
    () => floatAttribute(name, chance.pick(reals)),
    () => stringAttribute(name, chance.pick(hostileNames)),
    () => intsAttribute(name, [chance.pick(wholes), chance.pick(wholes)]),
  ];
  return chance.pick(make)();
}

const onAttribute = (
  g: Graph,
  chance: Chance,
  change: (a: Attribute) => Attribute | readonly Attribute[],
): Graph => {
  const having = g.node.filter((n) => n.attribute.length > 0);
  if (having.length === 0) return g;
  const chosen = chance.pick(having);
  const node = (n: Node): Node =>
    n === chosen ? { ...n, attribute: chance.changed(n.attribute, change) } : n;
  return { ...g, node: g.node.map(node) };
};

const someNames = [
  'axis',
  'axes',
  'to',
  'perm',
  'mode',
  'pads',
  'strides',
  'group',
  'kernel_shape',
  'keepdims',
  'alpha',
  'dtype',
  'k',
  'epsilon',
  'num_outputs',
  'blocksize',
  'direction',
  'hidden_size',
];

export const attributeChanges: Readonly<Record<string, GraphChange>> = {
  'attribute value': (g, _, chance) => onAttribute(g, chance, (a) => otherValue(a, chance)),
  'attribute type': (g, _, chance) => onAttribute(g, chance, (a) => otherKind(a, chance)),
  'attribute declared as another type': (g, _, chance) =>
    onAttribute(g, chance, (a) => ({ ...a, type: chance.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 99]) })),
  'attribute left out or doubled': (g, _, chance) =>
    onAttribute(g, chance, (a) => (chance.once(2) ? [] : [a, otherValue(a, chance)])),
  'attribute added': (g, _, chance) =>
    onNode(g, chance, (n) => {
      const a = otherKind(intAttribute(chance.pick([...someNames, ...hostileNames]), 0), chance);
      return { ...n, attribute: [...n.attribute, a] };
    }),
};
