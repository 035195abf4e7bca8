import { type Attribute, attributeType, type Graph, type Model } from '../../src/onnx/types.js';
import { attributeChanges } from './attributes.js';
import type { Chance } from './chance.js';
import { type GraphChange, onNode } from './graph-change.js';
import { hostileNames } from './names.js';
import { tensorChanges } from './tensors.js';
import { valueChanges } from './values.js';
import { wiringChanges } from './wiring.js';

const changes: Readonly<Record<string, GraphChange>> = {
  ...wiringChanges,
  ...attributeChanges,
  ...tensorChanges,
  ...valueChanges,
};

export type ModelMutation = string;

const opsetChange = 'other opset';
const functionChange = 'hostile domain';

export const modelMutations: readonly ModelMutation[] = [
  ...Object.keys(changes),
  opsetChange,
  functionChange,
];

export function mutateModel(model: Model, donor: Model, kind: ModelMutation, chance: Chance): Model {
  if (kind === opsetChange) {
    const version = chance.pick([-1, 0, 1, 6, 7, 9, 10, 11, 12, 13, 14, 17, 18, 21, 24, 28, 99, 2 ** 40]);
    const opsetImport = chance.once(6) ? [] : chance.changed(model.opsetImport, (o) => ({ ...o, version }));
    return { ...model, opsetImport };
  }
  if (kind === functionChange) {
    const domain = chance.pick(['com.microsoft', 'ai.onnx.ml', ...hostileNames]);
    const graph = onNode(model.graph, chance, (n) => ({ ...n, domain }));
    const opset = { domain, version: chance.pick([1, 5, 0]) };
    return { ...model, graph, opsetImport: [...model.opsetImport, opset] };
  }
  const change = changes[kind]!;
  if (model.functions.length > 0 && chance.once(4)) {
    const functions = chance.changed(model.functions, (f) => {
      const { node } = change({ ...model.graph, node: f.node }, donor, chance);
      return { ...f, node };
    });
    return { ...model, functions };
  }
  return { ...model, graph: somewhere(model.graph, chance, (g) => change(g, donor, chance)) };
}

/** Applies a change to the graph, or to the body of a control-flow node in it. */
function somewhere(g: Graph, chance: Chance, change: (g: Graph) => Graph): Graph {
  const holds = (a: Attribute): boolean => a.type === attributeType.graph && a.g !== undefined;
  const holders = g.node.filter((n) => n.attribute.some(holds));
  if (holders.length === 0 || chance.once(3)) return change(g);
  const chosen = chance.pick(holders);
  const bodies = chosen.attribute.filter(holds);
  const body = chance.pick(bodies);
  const attribute = chosen.attribute.map((a) =>
    a === body ? { ...a, g: somewhere(a.g!, chance, change) } : a,
  );
  return { ...g, node: g.node.map((n) => (n === chosen ? { ...n, attribute } : n)) };
}
