import { type Attribute, attributeType } from '../../src/onnx/types.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { didYouMean, Malformed } from './malformed.js';

export type AttributeKind = keyof typeof attributeType;

const kindNames = new Map<number, AttributeKind>(
  Object.entries(attributeType).map(([name, number]) => [number, name as AttributeKind]),
);

/** What an attribute holds. Models older than IR version 2 do not say: there the field that is set tells. */
export function kindOf(a: Attribute): AttributeKind {
  if (a.type !== attributeType.undefined) return kindNames.get(a.type) ?? 'undefined';
  if (a.f !== undefined) return 'float';
  if (a.i !== undefined) return 'int';
  if (a.s !== undefined) return 'string';
  if (a.t !== undefined) return 'tensor';
  if (a.g !== undefined) return 'graph';
  if (a.floats.length > 0) return 'floats';
  if (a.ints.length > 0) return 'ints';
  if (a.strings.length > 0) return 'strings';
  if (a.tensors.length > 0) return 'tensors';
  return a.graphs.length > 0 ? 'graphs' : 'undefined';
}

/** The attributes of one node by name, references to those of an enclosing function resolved. */
export type Attributes = ReadonlyMap<string, Attribute>;

export function attributesOf(list: readonly Attribute[], enclosing: Attributes | undefined): Attributes {
  const out = new Map<string, Attribute>();
  for (const a of list) {
    const given = a.refAttrName === '' ? a : enclosing?.get(a.refAttrName);
    if (out.has(a.name)) throw new Malformed('duplicate-attribute', `attribute "${a.name}" is given twice`);
    // A function's attribute that nobody gave leaves the node's own default in force.
    if (given) out.set(a.name, given === a ? a : { ...given, name: a.name });
  }
  return out;
}

/** The attribute when it is there; an error when it holds something else. */
export function attributeOf(all: Attributes, name: string, kind: AttributeKind): Attribute | undefined {
  const a = all.get(name);
  if (a === undefined) return undefined;
  const found = kindOf(a);
  // An empty list of an untyped attribute may be of any kind.
  if (found !== kind && !(found === 'undefined' && a.type === attributeType.undefined))
    throw new Malformed('bad-attribute', `attribute "${name}" holds ${found} where ${kind} belongs`);
  return a;
}

export function missingAttribute(all: Attributes, name: string): CompileError {
  return new CompileError(
    'missing-attribute',
    `attribute "${name}" is missing`,
    didYouMean(name, all.keys()),
  );
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a string attribute; undefined when its bytes are not UTF-8. */
export function textOfBytes(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
