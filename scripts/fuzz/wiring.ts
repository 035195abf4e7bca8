import { elementTypeOf } from '../../src/onnx/dtype.js';
import { tensorTypeProto } from '../../src/onnx/make.js';
import type { Graph, Node, ValueInfo } from '../../src/onnx/types.js';
import type { Chance } from './chance.js';
import { type GraphChange, namesIn, onNode } from './graph-change.js';
import { hostileNames } from './names.js';

const withInput = (n: Node, chance: Chance, name: string): Node =>
  n.input.length === 0 ? { ...n, input: [name] } : { ...n, input: chance.changed(n.input, () => name) };

/** Renames a value wherever it occurs, bodies included, so that the model keeps its meaning. */
function renamed(g: Graph, names: ReadonlyMap<string, string>): Graph {
  const to = (name: string): string => names.get(name) ?? name;
  const value = (v: ValueInfo): ValueInfo => ({ ...v, name: to(v.name) });
  return {
    ...g,
    input: g.input.map(value),
    output: g.output.map(value),
    valueInfo: g.valueInfo.map(value),
    initializer: g.initializer.map((t) => ({ ...t, name: to(t.name) })),
    node: g.node.map((n) => ({
      ...n,
      name: to(n.name),
      input: n.input.map(to),
      output: n.output.map(to),
      attribute: n.attribute.map((a) => (a.g === undefined ? a : { ...a, g: renamed(a.g, names) })),
    })),
  };
}

/** What nodes exist, in which order, and what they read and yield. */
export const wiringChanges: Readonly<Record<string, GraphChange>> = {
  'other input': (g, _, chance) => {
    const names = namesIn(g);
    return names.length === 0 ? g : onNode(g, chance, (n) => withInput(n, chance, chance.pick(names)));
  },
  'missing input': (g, _, chance) =>
    onNode(g, chance, (n) => withInput(n, chance, chance.pick(['', 'no_such_value', ...hostileNames]))),
  'more or fewer inputs': (g, _, chance) =>
    onNode(g, chance, (n) => {
      const input = chance.pick([
        n.input.slice(1),
        n.input.slice(0, -1),
        [...n.input, ...n.input],
        [],
        n.input.toReversed(),
      ]);
      return { ...n, input };
    }),
  'more or fewer outputs': (g, _, chance) =>
    onNode(g, chance, (n) => {
      const output = chance.pick([
        n.output.slice(1),
        [...n.output, 'one_more'],
        [],
        n.output.map((o, i) => (i > 0 ? '' : o)),
      ]);
      return { ...n, output };
    }),
  cycle: (g, _, chance) => {
    const made = g.node.flatMap((n) => n.output);
    return made.length === 0
      ? g
      : onNode(g, chance, (n) => withInput(n, chance, n.output[0] ?? chance.pick(made)));
  },
  'duplicate name': (g, _, chance) => {
    const names = namesIn(g);
    if (names.length === 0) return g;
    return onNode(g, chance, (n) => ({
      ...n,
      output: n.output.map((o, i) => (i === 0 ? chance.pick(names) : o)),
    }));
  },
  'hostile names': (g, _, chance) => {
    const all = [...new Set([...namesIn(g), ...g.node.map((n) => n.name)])].filter((n) => n !== '');
    const chosen = chance.once(2) ? all : all.filter(() => chance.once(3));
    const first = chance.below(hostileNames.length);
    const hostile = (i: number): string => {
      const name = hostileNames[(first + i) % hostileNames.length]!;
      return i < hostileNames.length ? name : `${name}${i}`;
    };
    return renamed(g, new Map(chosen.map((name, i) => [name, hostile(i)])));
  },
  'other operator': (g, donor, chance) => {
    const types = [...g.node, ...donor.graph.node].map((n) => n.opType);
    const opType = chance.pick([
      '',
      'If',
      'Loop',
      'Scan',
      'Reshape',
      'Split',
      'Einsum',
      ...types,
      ...types,
      ...hostileNames,
    ]);
    return onNode(g, chance, (n) => ({ ...n, opType }));
  },
  'foreign node': (g, donor, chance) => {
    const names = namesIn(g);
    if (donor.graph.node.length === 0 || names.length === 0) return g;
    const guest = chance.pick(donor.graph.node);
    const node = {
      ...guest,
      input: guest.input.map((i) => (i === '' ? '' : chance.pick(names))),
      output: guest.output.map((o, i) => (o === '' ? '' : `guest_${i}`)),
    };
    const read = onNode(g, chance, (n) => withInput(n, chance, 'guest_0'));
    return { ...read, node: [node, ...read.node] };
  },
  'node left out': (g, _, chance) => onNode(g, chance, () => []),
  'node twice': (g, _, chance) => onNode(g, chance, (n) => [n, n]),
  'nodes reversed': (g) => ({ ...g, node: g.node.toReversed() }),
  'outputs changed': (g, _, chance) => {
    const names = [...namesIn(g), 'no_such_value'];
    const extra: ValueInfo = { ...g.output[0]!, name: chance.pick(names) };
    const output = chance.pick([
      [...g.output, extra],
      g.output.slice(1),
      [...g.output, ...g.output],
      [extra],
    ]);
    return g.output.length === 0 ? g : { ...g, output };
  },
  'constant becomes input': (g, _, chance) => {
    if (g.initializer.length === 0) return g;
    const t = chance.pick(g.initializer);
    const type = tensorTypeProto(elementTypeOf(t.dataType) ?? 'f32', t.dims);
    const input: ValueInfo = { name: t.name, type, docString: '', metadataProps: [] };
    return { ...g, initializer: g.initializer.filter((x) => x !== t), input: [...g.input, input] };
  },
};
