import { type Dim, mul } from '../src/ir/dim.js';
import { dtypeOf, type Node, type Value } from '../src/ir/graph.js';
import { bitsOf } from '../src/ir/type.js';
import type { KernelTraits } from './kernel.js';

/** Values that are computed in their place in the result of a joining step, by owner. */
export function partsOf(
  steps: readonly Node[],
  kernelOf: (n: Node) => KernelTraits,
  free: (v: Value) => Value | undefined,
): ReadonlyMap<Value, { readonly whole: Value; readonly offset: Dim }> {
  const parts = new Map<Value, { whole: Value; offset: Dim }>();
  for (const n of steps) {
    const [whole] = n.outputs;
    const places = kernelOf(n).joins?.(n);
    if (!places || !free(whole!)) continue;
    const each = bitsOf[dtypeOf(whole!)] / 8;
    n.inputs.forEach((v, i) => {
      const o = free(v);
      if (o && !parts.has(o) && n.inputs.indexOf(v) === i)
        parts.set(o, { whole: whole!, offset: mul(each, places[i]!) });
    });
  }
  return parts;
}
