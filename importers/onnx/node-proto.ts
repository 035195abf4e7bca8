import type { Graph } from '../../src/ir/graph.js';
import { dataTypeOf } from '../../src/onnx/dtype.js';
import {
  floatAttribute,
  floatsAttribute,
  graphAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
  stringsAttribute,
  tensorAttribute,
} from '../../src/onnx/make.js';
import type { Attribute, Graph as GraphProto, Node } from '../../src/onnx/types.js';
import type { ForeignAttribute } from '../../src/ops/foreign.js';
import type { OnnxAttr } from '../../src/ops/onnx-emitter.js';
import { tensorOfLiteral } from './literals.js';

const limit = { least: -(2n ** 63n), most: 2n ** 63n - 1n };

/** Numbers stand for 64-bit integers here; those past the range meant its end. */
const int64 = (x: number): bigint => {
  const whole = BigInt(x);
  return whole > limit.most ? limit.most : whole < limit.least ? limit.least : whole;
};

/** An attribute as the protocol has it; `body` writes a graph that reads outer values by their names. */
export function plainAttribute(
  name: string,
  a: OnnxAttr,
  body: (g: Graph, captured: readonly string[]) => GraphProto,
): Attribute {
  switch (a.kind) {
    case 'int':
      return intAttribute(name, int64(a.value));
    case 'float':
      return floatAttribute(name, a.value);
    case 'string':
      return stringAttribute(name, a.value);
    case 'ints':
      return intsAttribute(name, a.value.map(int64));
    case 'floats':
      return floatsAttribute(name, a.value);
    case 'strings':
      return stringsAttribute(name, a.value);
    case 'tensor':
      return tensorAttribute(name, tensorOfLiteral('', a.value));
    case 'dtype':
      return intAttribute(name, dataTypeOf(a.value));
    case 'graph':
      return graphAttribute(name, body(a.value, a.captured));
    default:
      return a satisfies never;
  }
}

/** A plain attribute as those of foreign nodes are; bodies are not among them. */
export function foreignOfPlain(name: string, a: OnnxAttr): ForeignAttribute {
  switch (a.kind) {
    case 'int':
      return { name, type: 'int', value: int64(a.value) };
    case 'ints':
      return { name, type: 'ints', value: a.value.map(int64) };
    case 'dtype':
      return { name, type: 'int', value: BigInt(dataTypeOf(a.value)) };
    case 'float':
      return { name, type: 'float', value: a.value };
    case 'floats':
      return { name, type: 'floats', value: a.value };
    case 'string':
      return { name, type: 'string', value: a.value };
    case 'strings':
      return { name, type: 'strings', value: a.value };
    case 'tensor':
      return { name, type: 'tensor', value: a.value };
    case 'graph':
      return { name, type: 'graph', value: a.value };
    default:
      return a satisfies never;
  }
}

/** The node with values under other names, in its bodies as well. */
export function renamedNode(n: Node, names: ReadonlyMap<string, string>): Node {
  if (names.size === 0) return n;
  const to = (name: string): string => names.get(name) ?? name;
  const graph = (g: GraphProto): GraphProto => ({
    ...g,
    node: g.node.map((inner) => renamedNode(inner, names)),
  });
  return {
    ...n,
    input: n.input.map(to),
    output: n.output.map(to),
    attribute: n.attribute.map((a) =>
      a.g || a.graphs.length > 0 ? { ...a, g: a.g && graph(a.g), graphs: a.graphs.map(graph) } : a,
    ),
  };
}
