import { type Graph, input, is, type Node, topological } from '../../src/ir/graph.js';
import { makeModel } from '../../src/onnx/make.js';
import type { Model } from '../../src/onnx/types.js';
import { constant } from '../../src/ops/constant.js';
import { if_, loop, scan } from '../../src/ops/control-flow.js';
import { foreign } from '../../src/ops/foreign.js';
import { GraphWriter } from './graph-writer.js';
import { type ExternalData, ModelWriter } from './model-writer.js';

export interface ExportOptions {
  /** By default that of the foreign nodes, from 21 to 26. */
  readonly opset?: number | undefined;
  readonly name?: string | undefined;
  /** Where large constants go; without it they stay in the model. */
  readonly externalData?: ExternalData | undefined;
}

const oldest = 21;
const newest = 26;
const irVersion = 10;

/** Writes a graph as an ONNX model. */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Model {
  const opset = options.opset ?? opsetFor(graph);
  const { model, main } = write(graph, opset, options);
  if (options.opset === undefined && model.needed > opset)
    return exportOnnx(graph, { ...options, opset: model.needed });
  return makeModel({
    irVersion,
    producerName: 'ait-convert',
    opsetImport: model.opsets,
    graph: { ...main, initializer: model.initializers },
  });
}

function write(graph: Graph, opset: number, { name, externalData }: ExportOptions) {
  const model = new ModelWriter(opset, externalData);
  return { model, main: new GraphWriter(model, graph).main(name ?? 'main') };
}

/** A graph of nothing but foreign nodes keeps the version they are written in; any other is written anew. */
function opsetFor(graph: Graph): number {
  const versions = new Set<number>();
  let hasScan = false;
  const verbatim = allNodes(graph).every((node) => {
    if (is(node, foreign)) {
      if (node.attrs.domain === '') versions.add(node.attrs.opset);
      return true;
    }
    hasScan ||= is(node, scan);
    return [input, constant, if_, loop, scan].some((op) => is(node, op as never));
  });
  const last = Math.min(Math.max(0, ...versions), newest);
  // Before version 9 a Scan was another operator.
  return verbatim && versions.size === 1 && !(hasScan && last < 9) ? last : Math.max(last, oldest);
}

function allNodes(graph: Graph): readonly Node[] {
  return topological(graph).flatMap((node) => [node, ...bodiesOf(node).flatMap(allNodes)]);
}

function bodiesOf(node: Node): readonly Graph[] {
  if (is(node, if_)) return [node.attrs.thenBranch, node.attrs.elseBranch];
  if (is(node, loop) || is(node, scan)) return [node.attrs.body];
  if (is(node, foreign))
    return node.attrs.attributes.flatMap((a) =>
      a.type === 'graph' ? [a.value] : a.type === 'graphs' ? a.value : [],
    );
  return [];
}
