import type { Graph, Model, Node, Tensor } from '../../src/onnx/types.js';
import type { Chance } from './chance.js';

/** A change to a decoded graph; the graph itself where it does not apply. */
export type GraphChange = (g: Graph, donor: Model, chance: Chance) => Graph;

export const onNode = (g: Graph, chance: Chance, change: (n: Node) => Node | readonly Node[]): Graph =>
  g.node.length === 0 ? g : { ...g, node: chance.changed(g.node, change) };

export const onTensor = (
  g: Graph,
  chance: Chance,
  change: (t: Tensor) => Tensor | readonly Tensor[],
): Graph => (g.initializer.length === 0 ? g : { ...g, initializer: chance.changed(g.initializer, change) });

/** Every name of a value in the graph, those of enclosing graphs aside. */
export const namesIn = (g: Graph): readonly string[] =>
  [
    ...g.input.map((v) => v.name),
    ...g.initializer.map((t) => t.name),
    ...g.node.flatMap((n) => n.output),
  ].filter((name) => name !== '');
