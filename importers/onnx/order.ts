import type { Graph, Node } from '../../src/onnx/types.js';
import { Malformed } from './malformed.js';

const freeNames = new WeakMap<Graph, ReadonlySet<string>>();

/** The names a body reads from the graphs around it. */
export function freeNamesOf(g: Graph): ReadonlySet<string> {
  let free = freeNames.get(g);
  if (!free) {
    const own = definedIn(g);
    const read = [...g.node.flatMap((n) => [...namesReadBy(n)]), ...g.output.map((o) => o.name)];
    free = new Set(read.filter((name) => name !== '' && !own.has(name)));
    freeNames.set(g, free);
  }
  return free;
}

function definedIn(g: Graph): ReadonlySet<string> {
  return new Set([
    ...g.input.map((i) => i.name),
    ...g.initializer.map((t) => t.name),
    ...g.sparseInitializer.map((t) => t.values?.name ?? ''),
    ...g.node.flatMap((n) => n.output),
  ]);
}

/** The names a node reads, those inside its bodies included. */
export function namesReadBy(n: Node): ReadonlySet<string> {
  const names = new Set(n.input);
  for (const a of n.attribute)
    for (const g of a.g ? [a.g, ...a.graphs] : a.graphs) for (const name of freeNamesOf(g)) names.add(name);
  names.delete('');
  return names;
}

export const labelOf = (n: Node): string => {
  const name = n.name === '' ? (n.output.find((o) => o !== '') ?? '') : n.name;
  return `"${name}" (${n.opType})`;
};

/** The nodes, producers first: in the model's own order where that is possible. */
export function sorted(nodes: readonly Node[]): readonly Node[] {
  const producer = new Map<string, number>();
  nodes.forEach((n, i) => {
    for (const name of n.output) if (name !== '') producer.set(name, i);
  });
  const needs = nodes.map((n) =>
    [...namesReadBy(n)].map((name) => producer.get(name)).filter((i) => i !== undefined),
  );
  if (needs.every((list, i) => list.every((p) => p < i))) return nodes;
  const order: Node[] = [];
  const state = new Uint8Array(nodes.length);
  for (let root = 0; root < nodes.length; root++) {
    const path = state[root] === 0 ? [{ at: root, next: 0 }] : [];
    while (path.length > 0) {
      const top = path.at(-1)!;
      state[top.at] = 1;
      const need = needs[top.at]![top.next++];
      if (need === undefined) {
        state[top.at] = 2;
        order.push(nodes[top.at]!);
        path.pop();
      } else if (state[need] === 1) {
        const cycle = path.slice(path.findIndex((p) => p.at === need)).map((p) => labelOf(nodes[p.at]!));
        throw new Malformed(
          'cyclic-graph',
          `these nodes need one another's results: ${cycle.slice(0, 8).join(', ')}`,
          'an ONNX graph must not contain cycles; use Loop or Scan for recurrences',
        );
      } else if (state[need] === 0) path.push({ at: need, next: 0 });
    }
  }
  return order;
}

/** Every name of a graph must have one producer. */
export function checkNames(g: Graph): void {
  const unique = (what: string, names: readonly string[], seen = new Set<string>()): Set<string> => {
    for (const name of names) {
      if (name === '') throw new Malformed('unnamed-value', `${what} has no name`);
      if (seen.has(name))
        throw new Malformed(
          'duplicate-value',
          `the value "${name}" is defined more than once`,
          'every name of a graph must be assigned exactly once',
        );
      seen.add(name);
    }
    return seen;
  };
  const inputs = unique(
    'a graph input',
    g.input.map((i) => i.name),
  );
  unique('an initializer', [
    ...g.initializer.map((t) => t.name),
    ...g.sparseInitializer.map((t) => t.values?.name ?? ''),
  ]);
  const seen = new Set([...inputs, ...g.initializer.map((t) => t.name)]);
  for (const t of g.sparseInitializer) seen.add(t.values?.name ?? '');
  for (const n of g.node)
    unique(
      '',
      n.output.filter((o) => o !== ''),
      seen,
    );
  unique(
    'a graph output',
    g.output.map((o) => o.name),
  );
}
