import { describe, type Graph, input, inputName, is, type Origin, type Value } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { literal, literalOf } from '../../src/ir/literal.js';
import type { Node } from '../../src/onnx/types.js';
import { converterIn } from '../../src/ops/op.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { type Attributes, kindOf } from './attributes.js';
import { closeBodies, importBody } from './bodies.js';
import type { Context } from './context.js';
import { controlFlow } from './control-flow.js';
import { contradiction } from './declared.js';
import { foreignNode } from './foreign-node.js';
import { attributesIn, domainOf, type Frame, opsetOf, originOf } from './frame.js';
import { inlineFunction } from './functions.js';
import { denseLiteral, literalOfTensor, packStrings } from './literals.js';
import { didYouMean, Malformed } from './malformed.js';
import type { Scope } from './scope.js';
import { OnnxSourceNode } from './source-node.js';
import { isUnknown } from './type-proto.js';

/** A node with what it needs to be imported. */
export interface Site {
  readonly ctx: Context;
  readonly node: Node;
  readonly scope: Scope;
  readonly frame: Frame;
  readonly origin: Origin;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly opset: number;
}

export function importNode(ctx: Context, node: Node, scope: Scope, frame: Frame): void {
  const inputs = node.input.map((name, i) => (name === '' ? undefined : resolve(name, i, scope)));
  const fn = ctx.functionOf(node);
  const site: Site = {
    ctx,
    node,
    scope,
    frame,
    origin: originOf(node, frame),
    inputs,
    attributes: attributesIn(node, frame),
    opset: fn ? 0 : opsetOf(node, frame, ctx),
  };
  const results = fn ? inlineFunction(site, fn) : (builtIn(site) ?? convert(site));
  node.output.forEach((name, i) => {
    if (name === '') return;
    const value = results[i]!;
    scope.define(name, value);
    const declared = scope.declared.get(name);
    const wrong = declared && contradiction(declared, value.type);
    if (wrong !== undefined) ctx.warn(`the value "${name}" is ${wrong}; the declaration is ignored`);
  });
}

function resolve(name: string, i: number, scope: Scope): Value | undefined {
  const v = scope.lookup(name);
  if (v === 'absent') return undefined;
  if (v) return v;
  throw new Malformed(
    'unknown-value',
    `input ${i}, "${name}", does not exist`,
    didYouMean(name, scope.names()) ?? 'no input, initializer or node result has this name',
  );
}

function builtIn(site: Site): readonly Value[] | undefined {
  const { node, ctx, origin } = site;
  if (domainOf(node.domain) !== '') return undefined;
  if (node.opType === 'Constant') return [ctx.constant(constantOf(site), origin)];
  return controlFlow(site);
}

/** Constant, in each form that its value may take. */
function constantOf({ attributes, ctx }: Site): Literal {
  const [a] = [...attributes.values()].filter((x) => /^(sparse_)?value/.test(x.name));
  const kind = a && kindOf(a);
  switch (kind) {
    case 'tensor':
      if (a!.t) return literalOfTensor(a!.t, ctx.baseDir);
      break;
    case 'sparseTensor':
      if (a!.sparseTensor) return denseLiteral(a!.sparseTensor, ctx.baseDir);
      break;
    case 'int':
      return literalOf('i64', [], [a!.i ?? 0n]);
    case 'ints':
      return literalOf('i64', [a!.ints.length], a!.ints);
    case 'float':
      return literalOf('f32', [], [a!.f ?? 0]);
    case 'floats':
      return literalOf('f32', [a!.floats.length], a!.floats);
    case 'string':
      return strings([], [a!.s ?? new Uint8Array()]);
    case 'strings':
      return strings([a!.strings.length], a!.strings);
  }
  throw new Malformed('bad-attribute', 'the constant has no value');
}

const strings = (shape: readonly number[], values: readonly Uint8Array[]): Literal =>
  literal(
    'string',
    shape,
    packStrings(values.map((s) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(s))),
  );

/** Converts a node into operators of the IR, or keeps it as it is and says why. */
function convert(site: Site): readonly Value[] {
  const { ctx, node, scope, frame, inputs, attributes, opset, origin } = site;
  const domain = domainOf(node.domain);
  const versions = ctx.converters.get(domain === '' ? node.opType : `${domain}::${node.opType}`);
  const converter = versions && converterIn(versions, opset);
  if (!converter)
    return foreignNode(
      site,
      versions
        ? `version ${opset} of ${node.opType} is not known`
        : `the operator ${node.opType} is not known`,
    );
  const bodyOf = (attr: string): { readonly graph: Graph; readonly captured: readonly Value[] } => {
    const proto = attributes.get(attr)?.g;
    if (!proto) throw new Malformed('missing-attribute', `the graph "${attr}" is missing`);
    const closed = closeBodies(ctx, [importBody(ctx, proto, scope, frame, [])], origin);
    return { graph: closed.graphs[0]!, captured: closed.captured };
  };
  const source = new OnnxSourceNode(ctx, scope, node, inputs, attributes, opset, origin, bodyOf);
  try {
    const results = [converter(source, ctx.builder(origin))].flat() as readonly Value[];
    node.output.forEach((name, i) => {
      if (name !== '' && !results[i])
        throw new CompileError('unsupported', `its result ${i} is not computed`);
    });
    return results.map((v) => ctx.named(v, origin, scope.region));
  } catch (e) {
    const contradicts = e instanceof CompileError && !quiet.has(e.code);
    return foreignNode(site, reasonOf(e, site), contradicts);
  }
}

const quiet = new Set(['declined', 'opaque-input', 'not-a-tensor', 'unsupported']);

function reasonOfOpaque({ node, type }: Value): string {
  if (type.kind === 'tensor') return '';
  const source = is(node, input) ? `the input "${inputName(node.outputs[0]!)}"` : describe(node.origin);
  return isUnknown(type)
    ? `it reads a result of ${source}, whose type the model does not declare`
    : `it reads a value of ${source}, which is ${type.text}`;
}

function reasonOf(e: unknown, { ctx, node, origin, inputs }: Site): string {
  if (e instanceof Malformed) throw e;
  const untyped = inputs.find((v) => v?.type.kind === 'opaque');
  if (untyped && e instanceof CompileError && quiet.has(e.code)) return reasonOfOpaque(untyped);
  if (e instanceof CompileError && quiet.has(e.code)) return e.message;
  const message =
    e instanceof CompileError ? `${e.message} (${e.code})` : `internal error: ${(e as Error).message}`;
  ctx.warn(`onnx node "${origin.name}" (${node.opType}) is left to onnxruntime: ${message}`);
  return message;
}
