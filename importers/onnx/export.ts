import { type Graph, input, is, type Node, topological } from '../../src/ir/graph.js';
import { makeModel } from '../../src/onnx/make.js';
import type { Model } from '../../src/onnx/types.js';
import { constant } from '../../src/ops/constant.js';
import { if_, loop, scan } from '../../src/ops/control-flow.js';
import { foreign } from '../../src/ops/foreign.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { GraphWriter } from './graph-writer.js';
import { type ExternalData, type Lack, ModelWriter } from './model-writer.js';

export interface ExportOptions {
  /** By default that of the foreign nodes, from 21 to 26. */
  readonly opset?: number | undefined;
  readonly name?: string | undefined;
  /** Where large constants go; without it they stay in the model. */
  readonly externalData?: ExternalData | undefined;
}

const oldest = 21;
const newest = 26;

/** The version of the format that came with an operator set, at least as old readers expect it. */
const irVersionOf = (opset: number): number => (opset < 19 ? 8 : opset < 21 ? 9 : 10);

/** Writes a graph as an ONNX model. */
export function exportOnnx(graph: Graph, options: ExportOptions = {}): Model {
  const opset = options.opset ?? opsetFor(graph);
  const { model, main } = write(graph, opset, options);
  if (options.opset === undefined && model.needed > opset)
    return exportOnnx(graph, { ...options, opset: model.needed });
  refuseLacks(model.lacks, opset);
  return makeModel({
    irVersion: irVersionOf(opset),
    producerName: 'ait-convert',
    opsetImport: model.opsets,
    graph: { ...main, initializer: model.initializers },
  });
}

/** All that cannot be written, at once, with the modules it comes from. */
function refuseLacks(lacks: readonly Lack[], opset: number): void {
  if (lacks.length === 0) return;
  const lines = lacks.map(({ opset: since, what, origin }) => {
    const module = origin?.path ? ` in module "${origin.path}"` : '';
    const place = origin?.name ? ` ("${origin.name}"${module})` : '';
    return `\n    ${what}${place}: ${Number.isFinite(since) ? `opset ${since}` : 'in no opset'}`;
  });
  const needed = Math.max(...lacks.map((l) => l.opset));
  throw new CompileError(
    Number.isFinite(needed) ? 'not-in-opset' : 'no-onnx-form',
    `${lacks.length === 1 ? 'a part' : `${lacks.length} parts`} of the model cannot be written in opset ${opset}:${lines.join('')}`,
    Number.isFinite(needed)
      ? `write it in opset ${needed}`
      : 'change these parts of the model, or leave them out',
  );
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
