import type { ValueType } from '../../src/ir/type.js';
import type { ForeignAttribute } from '../../src/ops/foreign.js';
import type { GraphWriter } from './graph-writer.js';

/** A node of the default domain while it is carried from one operator set to a newer one. */
export interface PlainNode {
  readonly opType: string;
  readonly inputs: readonly (string | undefined)[];
  readonly types: readonly (ValueType | undefined)[];
  readonly attributes: readonly ForeignAttribute[];
  readonly outputs: readonly string[];
  /** Writes what follows the node. */
  readonly after?: () => void;
}

export function upgraded(node: PlainNode, _from: number, _to: number, _e: GraphWriter): PlainNode {
  return node;
}
