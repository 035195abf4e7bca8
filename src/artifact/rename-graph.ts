import type { Attribute, Graph, Node, SparseTensor, Tensor } from '../onnx/types.js';

export interface Renaming {
  readonly value: (name: string) => string;
  readonly node: (name: string) => string;
}

/** The graph under other names, those in its subgraphs included: what a subgraph captures stays captured. */
export function renameGraph(graph: Graph, renaming: Renaming): Graph {
  const named = <T extends { readonly name: string }>(items: readonly T[]): readonly T[] =>
    items.map((item) => ({ ...item, name: renaming.value(item.name) }));
  return {
    ...graph,
    node: graph.node.map((node) => renameNode(node, renaming)),
    initializer: named<Tensor>(graph.initializer),
    sparseInitializer: graph.sparseInitializer.map((tensor) => renameSparse(tensor, renaming)),
    input: named(graph.input),
    output: named(graph.output),
    valueInfo: named(graph.valueInfo),
    quantizationAnnotation: graph.quantizationAnnotation.map((annotation) => ({
      tensorName: renaming.value(annotation.tensorName),
      quantParameterTensorNames: annotation.quantParameterTensorNames.map(({ key, value }) => ({
        key,
        value: renaming.value(value),
      })),
    })),
  };
}

function renameNode(node: Node, renaming: Renaming): Node {
  return {
    ...node,
    name: renaming.node(node.name),
    input: node.input.map(renaming.value),
    output: node.output.map(renaming.value),
    attribute: node.attribute.map((attribute) => renameAttribute(attribute, renaming)),
  };
}

function renameAttribute(attribute: Attribute, renaming: Renaming): Attribute {
  if (attribute.g === undefined && attribute.graphs.length === 0) return attribute;
  return {
    ...attribute,
    g: attribute.g && renameGraph(attribute.g, renaming),
    graphs: attribute.graphs.map((graph) => renameGraph(graph, renaming)),
  };
}

/** A sparse initializer has the name of its values. */
function renameSparse(tensor: SparseTensor, renaming: Renaming): SparseTensor {
  const { values } = tensor;
  return { ...tensor, values: values && { ...values, name: renaming.value(values.name) } };
}
