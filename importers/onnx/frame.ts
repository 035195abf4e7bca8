import { describe, type Origin } from '../../src/ir/graph.js';
import type { Node, OperatorSetId } from '../../src/onnx/types.js';
import { type Attributes, attributesOf } from './attributes.js';
import type { Context } from './context.js';
import { Malformed } from './malformed.js';

/** A call of a function being inlined, or the model itself: what its nodes are written in. */
export interface Frame {
  readonly opsets: ReadonlyMap<string, number>;
  /** Arguments that `refAttrName` refers to. */
  readonly attributes: Attributes | undefined;
  /** Names of the calls that led here. */
  readonly path: readonly string[];
  /** The functions being inlined. */
  readonly active: readonly unknown[];
}

export const newestOpset = 28;

export const domainOf = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

export function opsetsOf(imports: readonly OperatorSetId[], ctx: Context): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    const name = domainOf(domain);
    if (version < 1)
      throw new Malformed('bad-opset', `version ${version} of the operator set "${name}" does not exist`);
    const before = opsets.get(name);
    if (before !== undefined && before !== version)
      ctx.warn(
        `the model imports the operator set "${name === '' ? 'ai.onnx' : name}" at version ${before} and at ${version}; the last is taken, as onnxruntime does`,
      );
    opsets.set(name, version);
  }
  const main = opsets.get('');
  if (main !== undefined && main > newestOpset)
    ctx.warn(
      `the model uses opset ${main}; operators that changed after opset ${newestOpset} may be misread`,
    );
  return opsets;
}

export function opsetOf(node: Node, frame: Frame, ctx: Context): number {
  const domain = domainOf(node.domain);
  const version = frame.opsets.get(domain);
  if (version !== undefined) return version;
  ctx.warn(
    `the model uses operators of "${domain === '' ? 'ai.onnx' : domain}" without importing it; taken as version 1`,
  );
  return 1;
}

export function originOf(node: Node, frame: Frame): Origin {
  const own = node.name === '' ? (node.output.find((o) => o !== '') ?? '') : node.name;
  return { format: 'onnx', name: [...frame.path, own].join('/'), opType: node.opType };
}

export const attributesIn = (node: Node, frame: Frame): Attributes =>
  attributesOf(node.attribute, frame.attributes);

export const placeOf = (node: Node, frame: Frame): string => `in ${describe(originOf(node, frame))}`;
