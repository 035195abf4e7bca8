import type { Node } from '../src/ir/graph.js';

/** A kernel that could not be generated for a node: a mistake of ours that costs only this node. */
export class KernelFailure extends Error {
  constructor(
    readonly node: Node,
    cause: unknown,
  ) {
    super(`generating its kernel failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** What fails for a node, or inside a body that it has, is a failure of the node. */
export function blaming<T>(n: Node, emit: () => T): T {
  try {
    return emit();
  } catch (e) {
    throw new KernelFailure(n, e instanceof KernelFailure ? e.cause : e);
  }
}
