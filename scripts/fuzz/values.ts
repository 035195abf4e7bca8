import { tensorTypeProto } from '../../src/onnx/make.js';
import type { Dimension, Graph, TypeProto, ValueInfo } from '../../src/onnx/types.js';
import type { Chance } from './chance.js';
import type { GraphChange } from './graph-change.js';
import { hostileNames } from './names.js';

export const extents: readonly number[] = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  16,
  17,
  64,
  -1,
  -7,
  2 ** 31,
  2 ** 40,
  Number.MAX_SAFE_INTEGER,
];

const dimension = (size: number | string | undefined): Dimension => ({
  dimValue: typeof size === 'number' ? size : undefined,
  dimParam: typeof size === 'string' ? size : undefined,
  denotation: '',
});

type Role = 'input' | 'output' | 'valueInfo';

/** Changes the declared type of an input, an output or a value in between. */
function onType(g: Graph, chance: Chance, change: (t: TypeProto) => TypeProto | undefined): Graph {
  const roles = (['input', 'input', 'output', 'valueInfo'] as const).filter((r: Role) => g[r].length > 0);
  if (roles.length === 0) return g;
  const role = chance.pick(roles);
  const edit = (v: ValueInfo): ValueInfo => ({ ...v, type: v.type && change(v.type) });
  return { ...g, [role]: chance.changed(g[role], edit) };
}

const onDims = (
  g: Graph,
  chance: Chance,
  change: (dims: readonly Dimension[]) => readonly Dimension[],
): Graph =>
  onType(g, chance, (t) => {
    const { tensorType } = t;
    if (tensorType === undefined) return t;
    return { ...t, tensorType: { ...tensorType, shape: { dim: change(tensorType.shape?.dim ?? []) } } };
  });

/** What the model declares of its values. */
export const valueChanges: Readonly<Record<string, GraphChange>> = {
  'declared extent': (g, _, chance) =>
    onDims(g, chance, (dim) =>
      dim.length === 0 ? dim : chance.changed(dim, () => dimension(chance.pick(extents))),
    ),
  'declared symbol': (g, _, chance) => {
    const symbols = ['N', 'batch', 'N + 1', '2*N', ...hostileNames];
    return onDims(g, chance, (dim) => dim.map((d) => (chance.once(2) ? dimension(chance.pick(symbols)) : d)));
  },
  'declared rank': (g, _, chance) =>
    onDims(g, chance, (dim) =>
      chance.pick([
        dim.slice(1),
        [...dim, dimension(1)],
        [dimension(2), ...dim],
        [],
        [...dim, ...dim, ...dim],
      ]),
    ),
  'declared element type': (g, _, chance) =>
    onType(g, chance, (t) => {
      const elemType = chance.pick([...Array(30).keys(), -1]);
      return { ...t, tensorType: t.tensorType && { ...t.tensorType, elemType } };
    }),
  'declared kind': (g, _, chance) =>
    onType(g, chance, (t) =>
      chance.pick([
        undefined,
        { ...t, tensorType: undefined },
        { ...t, tensorType: undefined, sequenceType: { elemType: t } },
        { ...t, tensorType: undefined, optionalType: { elemType: tensorTypeProto('f32', ['N']) } },
      ]),
    ),
};
