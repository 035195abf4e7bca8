import { type Graph, inputName } from '../src/ir/graph.js';
import type { TensorType } from '../src/ir/type.js';
import { Cpp, cpp, str } from './cpp.js';
import { port, portTable } from './ports.js';
import { shapeFunction } from './shape-function.js';

/** The descriptions of a segment's borders. */
export function borderTables(name: string, g: Graph): readonly Cpp[] {
  const ins = g.inputs.map((v) => port(inputName(v), v.type as TensorType));
  const outs = g.outputs.map((v, i) => port(g.outputNames[i]!, v.type as TensorType));
  const all = [portTable(`${name}_inputs`, ins), portTable(`${name}_outputs`, outs), shapeFunction(name, g)];
  return all.filter((t) => t !== false);
}

/** An initialiser of ait::Segment. */
export function segmentEntry(name: string, g: Graph): Cpp {
  const inputs = new Cpp(g.inputs.length === 0 ? 'nullptr' : `${name}_inputs`);
  const shapes = new Cpp(shapeFunction(name, g) ? `${name}_shapes` : 'nullptr');
  return cpp`{${str(name)}, ${g.inputs.length}, ${inputs}, ${g.outputs.length}, ${new Cpp(`${name}_outputs`)}, ${new Cpp(name)}, ${shapes}},`;
}
