import { dtypeOf, emit, graph, is, type Node, rebuilt, topological, type Value } from '../src/ir/graph.js';
import type { Pass } from '../src/ir/pass.js';
import { conv } from '../src/ops/conv.js';
import { convTranspose } from '../src/ops/conv-transpose.js';
import { matmul } from '../src/ops/matmul.js';
import { wideParts } from './wide-parts.js';

export interface TensorFloatOptions {
  /** Whether a node of the model must stay exact. */
  readonly keeps: (n: Node) => boolean;
}

/**
 * Lets products and convolutions of f32 round their operands to the ten bits of mantissa that matrix units take.
 * What is computed from positions stays exact.
 */
export const roundOperands = ({ keeps }: TensorFloatOptions): Pass => ({
  name: 'tf32',
  run: (g) => {
    const exact = wideParts(g, Number.POSITIVE_INFINITY);
    const made = new Map<Value, Value>();
    const now = (v: Value): Value => made.get(v)!;
    for (const n of topological(g)) {
      const inputs = n.inputs.map(now);
      const kept = keeps(n) || exact.has(n) || !multiplies(n);
      const copy = kept ? rebuilt(n, inputs) : emit(n.op, inputs, { ...n.attrs, tf32: true }, n.origin);
      n.outputs.forEach((v, i) => {
        made.set(v, copy.outputs[i]!);
      });
    }
    const bindings = new Map([...g.bindings].map(([k, b]) => [k, { ...b, value: now(b.value) }]));
    return graph(g.inputs.map(now), g.outputs.map(now), g.outputNames, bindings);
  },
});

const multiplies = (n: Node): boolean =>
  (is(n, matmul) || is(n, conv) || is(n, convTranspose)) && dtypeOf(n.inputs[0]!) === 'f32';
