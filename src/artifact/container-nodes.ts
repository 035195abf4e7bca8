import type { ElementType } from '../onnx/dtype.js';
import { tensorValue } from '../onnx/make.js';
import type { Model, Node, ValueInfo } from '../onnx/types.js';
import { type Container, partsOf } from './container.js';

import { apart } from './container-apart.js';
import { together } from './container-together.js';

/** Loops carry sequences, and optionals may be made, from this operator set on. */
export const containerOpset = 18;

/**
 * The model with every input and output that is a sequence or an optional replaced by its parts (see `Container`):
 * nodes in front put inputs together, nodes behind take outputs apart.
 */
export function withPackedPorts(model: Model, containerAt: (name: string) => Container | undefined): Model {
  const { graph } = model;
  const before: Node[] = [];
  const after: Node[] = [];
  const replace = (
    values: readonly ValueInfo[],
    write: (v: ValueInfo, c: Container) => readonly Node[],
    to: Node[],
  ) =>
    values.flatMap((v) => {
      const container = containerAt(v.name);
      if (!container) return [v];
      to.push(...write(v, container));
      return partValues(v.name, container);
    });
  const input = replace(graph.input, together, before);
  const output = replace(graph.output, apart, after);
  return { ...model, graph: { ...graph, input, output, node: [...before, ...graph.node, ...after] } };
}

function partValues(name: string, container: Container): readonly ValueInfo[] {
  const types = [container.dtype, 'i64', 'i64', 'bool'] as ElementType[];
  return partsOf(name, container).map((part, i) => tensorValue(part, types[i]!, [undefined]));
}
