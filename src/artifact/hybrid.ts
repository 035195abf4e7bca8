import { posix } from 'node:path';
import { type ElementType, elementTypes } from '../onnx/dtype.js';
import { type DimSpec, makeGraph, makeModel, makeNode, makeOpset, tensorValue } from '../onnx/make.js';
import type { FunctionProto, Graph, Model, Node, OperatorSetId, Tensor, ValueInfo } from '../onnx/types.js';
import { dataLocation } from '../onnx/types.js';
import { CompileError } from '../support/diagnostic.js';
import type { Port } from './manifest.js';
import { type Renaming, renameGraph } from './rename-graph.js';

/** The domain of the operators that `RegisterCustomOps` of libmodel.so adds to onnxruntime. */
export const ENGINE_DOMAIN = 'ai.ait';

export type HybridStep =
  | {
      readonly kind: 'engine';
      /** The segment in libmodel.so, and the operator's type. */
      readonly name: string;
      readonly inputs: readonly string[];
      readonly outputs: readonly string[];
    }
  | {
      readonly kind: 'fallback';
      readonly model: Model;
      /** The values for `model.graph.input`, in that order; and so the outputs. */
      readonly inputs: readonly string[];
      readonly outputs: readonly string[];
      /** Where the model's external data lie, seen from the hybrid model: `fallback`. */
      readonly directory?: string;
    };

export interface HybridSource {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly steps: readonly HybridStep[];
  /** Types of values between the steps, for those who look at the model. */
  readonly values?: readonly Port[];
  readonly name?: string;
  readonly producerVersion?: string;
}

/**
 * One ONNX model of all the steps: each compiled segment is one node of the domain `ai.ait`, the fallback pieces
 * are merged as they are. Runs in any onnxruntime that has registered libmodel.so.
 */
export function hybridModel(source: HybridSource): Model {
  const taken = new Set(source.steps.flatMap((step) => [...step.inputs, ...step.outputs]));
  const pieces = source.steps.map((step, index) =>
    step.kind === 'engine' ? engineNode(step) : fallbackPiece(step, `fallback${index}`, taken),
  );
  const borders = borderNodes(source);
  const models = source.steps.flatMap((step) => (step.kind === 'fallback' ? [step.model] : []));
  return makeModel({
    irVersion: Math.max(8, ...models.map((model) => model.irVersion)),
    opsetImport: commonOpsets(models),
    producerName: 'ait-convert',
    producerVersion: source.producerVersion ?? '',
    functions: commonFunctions(models),
    graph: makeGraph({
      name: source.name ?? 'hybrid',
      input: source.inputs.map(valueInfoOf),
      output: source.outputs.map(valueInfoOf),
      valueInfo: innerValues(source, pieces),
      initializer: pieces.flatMap((piece) => piece.initializer ?? []),
      sparseInitializer: pieces.flatMap((piece) => piece.sparseInitializer ?? []),
      node: [...borders.before, ...pieces.flatMap((piece) => piece.node ?? []), ...borders.after],
    }),
  });
}

/** Types of what is neither input nor output, each once. */
function innerValues(source: HybridSource, pieces: readonly Partial<Graph>[]): readonly ValueInfo[] {
  const outer = new Set([...source.inputs, ...source.outputs].map((port) => port.name));
  const known = [...(source.values ?? []).map(valueInfoOf), ...pieces.flatMap((p) => p.valueInfo ?? [])];
  return [...new Map(known.map((info) => [info.name, info])).values()].filter(({ name }) => !outer.has(name));
}

function engineNode(step: HybridStep & { kind: 'engine' }): Partial<Graph> {
  return {
    node: [
      makeNode({
        opType: step.name,
        domain: ENGINE_DOMAIN,
        name: step.name,
        input: step.inputs,
        output: step.outputs,
      }),
    ],
  };
}

/** The nodes and weights of a piece, its own names prefixed, its inputs and outputs named as the values are. */
function fallbackPiece(
  step: HybridStep & { kind: 'fallback' },
  prefix: string,
  taken: ReadonlySet<string>,
): Partial<Graph> {
  const { graph } = step.model;
  const fresh = (name: string): string => {
    const candidate = `${prefix}/${name}`;
    return taken.has(candidate) ? fresh(`_${name}`) : candidate;
  };
  const initial = new Set(graph.initializer.map((tensor) => tensor.name));
  const inputs = graph.input.filter(({ name }) => !initial.has(name));
  if (inputs.length !== step.inputs.length || graph.output.length !== step.outputs.length) {
    throw new CompileError(
      'bad-fallback',
      `a fallback piece has ${inputs.length} inputs and ${graph.output.length} outputs where its step has ` +
        `${step.inputs.length} and ${step.outputs.length}`,
    );
  }
  const names = new Map(inputs.map(({ name }, i) => [name, step.inputs[i]!]));
  const copies: Node[] = [];
  const made = new Set(graph.node.flatMap((node) => node.output));
  graph.output.forEach(({ name }, i) => {
    const value = step.outputs[i]!;
    // An output that is an input, a weight, or another output as well is copied to its own name.
    if (made.has(name) && !names.has(name)) names.set(name, value);
    else copies.push(identity(names.get(name) ?? fresh(name), value));
  });
  const renaming: Renaming = {
    value: (name) => (name === '' ? '' : (names.get(name) ?? fresh(name))),
    node: (name) => (name === '' ? '' : fresh(name)),
  };
  const renamed = renameGraph(graph, renaming);
  const relocate = (tensor: Tensor) => relocated(tensor, step.directory);
  return {
    node: [...renamed.node, ...copies],
    initializer: renamed.initializer.map(relocate),
    sparseInitializer: renamed.sparseInitializer,
    valueInfo: renamed.valueInfo,
  };
}

function relocated(tensor: Tensor, directory: string | undefined): Tensor {
  if (directory === undefined || tensor.dataLocation !== dataLocation.external) return tensor;
  return {
    ...tensor,
    externalData: tensor.externalData.map(({ key, value }) => ({
      key,
      value: key === 'location' ? posix.join(directory, value) : value,
    })),
  };
}

/** Where a port's value has another name than the user's model gives it. */
function borderNodes({ inputs, outputs, steps }: HybridSource): { before: Node[]; after: Node[] } {
  const named = new Set([...inputs.map((p) => p.name), ...steps.flatMap((step) => step.outputs)]);
  const differing = (ports: readonly Port[]) => ports.filter(({ name, value }) => name !== value);
  for (const { name, value } of differing(outputs)) {
    if (named.has(name))
      throw new CompileError('bad-hybrid', `output "${name}" is "${value}", and another value has its name`);
  }
  return {
    before: differing(inputs).map(({ name, value }) => identity(name, value)),
    after: differing(outputs).map(({ name, value }) => identity(value, name)),
  };
}

function identity(from: string, to: string): Node {
  return makeNode({ opType: 'Identity', name: `name/${to}`, input: [from], output: [to] });
}

function valueInfoOf({ name, dtype, shape }: Port): ValueInfo {
  const elementType = elementTypes.find((known) => known === dtype);
  if (elementType === undefined || shape === undefined)
    throw new CompileError('bad-hybrid', `"${name}" is ${dtype}, and a hybrid model takes tensors only`);
  return tensorValue(name, elementType satisfies ElementType, shape.map(dimension));
}

function dimension(extent: NonNullable<Port['shape']>[number]): DimSpec {
  return typeof extent === 'number' ? extent : extent.symbol;
}

/** A model without fallback needs an operator set for `Identity` alone, which never changed its meaning. */
const OLDEST_OPSET = 17;

function commonOpsets(models: readonly Model[]): readonly OperatorSetId[] {
  const versions = new Map<string, number>();
  for (const { domain, version } of models.flatMap((model) => model.opsetImport)) {
    const name = domain === 'ai.onnx' ? '' : domain;
    const known = versions.get(name);
    if (known !== undefined && known !== version)
      throw new CompileError('bad-hybrid', `the fallback pieces import "${name}" as ${known} and ${version}`);
    versions.set(name, version);
  }
  if (!versions.has('')) versions.set('', OLDEST_OPSET);
  versions.set(ENGINE_DOMAIN, 1);
  return [...versions].map(([domain, version]) => makeOpset(domain, version));
}

function commonFunctions(models: readonly Model[]): readonly FunctionProto[] {
  const functions = models.flatMap((model) => model.functions);
  const byKey = new Map(functions.map((f) => [JSON.stringify([f.domain, f.name, f.overload]), f]));
  return [...byKey.values()];
}
