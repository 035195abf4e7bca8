import { type Graph, graph } from '../../src/ir/graph.js';
import type { Model } from '../../src/onnx/types.js';
import type { OpDef } from '../../src/ops/op.js';
import { pruned } from './bodies.js';
import { Context } from './context.js';
import { declaredTypes } from './declared.js';
import { withDeclaredType } from './foreign-node.js';
import { type Frame, opsetsOf } from './frame.js';
import { importGraph } from './graph.js';
import { importInputs, type ShapeOverrides } from './inputs.js';
import { didYouMean, Malformed } from './malformed.js';
import { Region, Scope } from './scope.js';
import { type DimRange, Symbols } from './symbols.js';
import type { Answers, TypeQuestion } from './type-question.js';

export interface ImportOptions {
  readonly operators: readonly OpDef[];
  /** Where external data are looked for. */
  readonly baseDir?: string | undefined;
  /** Shapes of inputs, in place of the declared ones. */
  readonly shapes?: ShapeOverrides | undefined;
  /** The range, or with equal ends the value, of dimensions that the model names. */
  readonly dims?: ReadonlyMap<string, DimRange> | undefined;
  /** Put before the name of every symbol. */
  readonly symbolPrefix?: string | undefined;
  readonly warn: (message: string) => void;
  /**
   * Takes a question about the types of a node's results that nothing here tells. An import with the
   * answers, by the questions' keys, knows more and may ask again.
   */
  readonly ask?: ((question: TypeQuestion) => void) | undefined;
  readonly answers?: Answers | undefined;
}

/** Turns an ONNX model into an IR graph. Nodes that no operator converts stay as `foreign` nodes. */
export function importOnnx(model: Model, options: ImportOptions): Graph {
  const symbols = new Symbols(options.dims ?? new Map(), options.symbolPrefix ?? '');
  const ctx = new Context(
    options.operators,
    model.functions,
    symbols,
    options.baseDir,
    options.warn,
    options.answers,
    options.ask,
  );
  const proto = model.graph;
  const frame: Frame = {
    opsets: opsetsOf(model.opsetImport, ctx),
    attributes: undefined,
    path: [],
    active: [],
  };
  const inputs = importInputs(ctx, proto, model.irVersion, options.shapes ?? new Map());
  for (const name of options.dims?.keys() ?? [])
    if (symbols.known(name) === undefined)
      options.warn(`no input of the model has a dimension named "${name}"`);
  const region = new Region(undefined, () => {});
  const scope = new Scope(undefined, region, declaredTypes(proto));
  for (const [name, v] of inputs) scope.define(name, v);
  importGraph(ctx, proto, scope, frame);
  const outputs = proto.output.map(({ name }) => {
    const v = scope.lookup(name);
    if (v !== undefined && v !== 'absent')
      return withDeclaredType(ctx, v, name, scope, frame.opsets.get('') ?? 1);
    throw new Malformed(
      'unknown-value',
      `nothing computes the graph output "${name}"`,
      didYouMean(name, scope.names()),
    );
  });
  const names = proto.output.map((o) => o.name);
  return pruned(graph([...inputs.values()], outputs, names, region.bindings));
}
