import { literalOf } from '../../src/ir/literal.js';
import type { DType, ValueType } from '../../src/ir/type.js';
import type { ForeignAttribute } from '../../src/ops/foreign.js';
import type { OnnxAttrs, OnnxEmitter } from '../../src/ops/onnx-emitter.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { upgrades } from './upgrades.js';

/** A node of the default domain while it is carried from one operator set to a newer one. */
export interface PlainNode {
  readonly opType: string;
  readonly inputs: readonly (string | undefined)[];
  readonly types: readonly (ValueType | undefined)[];
  readonly attributes: readonly ForeignAttribute[];
  readonly outputs: readonly string[];
}

/** What a step may write around the node. */
export interface UpgradeEmitter extends OnnxEmitter {
  /** A new name for a result that is worked on further. */
  fresh(): string;
  /** Adds a node, after the one that is upgraded, whose result has a given name. */
  finish(opType: string, inputs: readonly string[], output: string, attrs?: OnnxAttrs): void;
}

/** A step to the version in which the operator's form changed; undefined when there is no way. */
export type Upgrade = (n: PlainNode, e: UpgradeEmitter) => PlainNode | undefined;

/** The same computation in the words of a newer operator set. */
export function upgraded(node: PlainNode, from: number, to: number, e: UpgradeEmitter): PlainNode {
  let n = node;
  for (let version = from + 1; version <= to; version++) {
    const step = upgrades[version]?.[n.opType];
    const next = step ? step(n, e) : n;
    if (!next)
      throw new CompileError(
        'no-newer-form',
        `${node.opType} as of opset ${from} cannot be written in opset ${to}`,
        'convert the model to a newer opset first',
      );
    n = next;
  }
  return n;
}

type Kind = ForeignAttribute['type'];
type ValueOf<K extends Kind> = Extract<ForeignAttribute, { type: K }>['value'];

export function attribute<K extends Kind>(n: PlainNode, name: string, type: K): ValueOf<K> | undefined {
  const a = n.attributes.find((x) => x.name === name && x.type === type);
  return a?.value as ValueOf<K> | undefined;
}

export const without = (n: PlainNode, ...names: readonly string[]): PlainNode => ({
  ...n,
  attributes: n.attributes.filter((a) => !names.includes(a.name)),
});

export const withAttribute = (n: PlainNode, a: ForeignAttribute): PlainNode => ({
  ...n,
  attributes: [...n.attributes.filter((x) => x.name !== a.name), a],
});

/** Puts a constant at an input. */
export function withInput(n: PlainNode, at: number, name: string | undefined): PlainNode {
  const inputs = [...n.inputs];
  while (inputs.length <= at) inputs.push(undefined);
  inputs[at] = name;
  return { ...n, inputs };
}

/** Turns a list attribute into an int64 input. */
export function intsToInput(n: PlainNode, name: string, at: number, e: OnnxEmitter): PlainNode {
  const values = attribute(n, name, 'ints');
  if (!values) return without(n, name);
  return withInput(without(n, name), at, e.literal(literalOf('i64', [values.length], values)));
}

export const rankOf = (n: PlainNode, i: number): number | undefined => {
  const t = n.types[i];
  return t?.kind === 'tensor' ? t.shape.length : undefined;
};

export const dtypeOf = (n: PlainNode, i: number): DType | undefined => {
  const t = n.types[i];
  return t?.kind === 'tensor' ? t.dtype : (/^(\w+)\[\*\]$/.exec(t?.text ?? '')?.[1] as DType | undefined);
};
