import { arg, cast } from '../src/ir/expr.js';
import {
  emit,
  type Graph,
  graph,
  input,
  inputValue,
  is,
  type Node,
  rebuilt,
  topological,
  usersOf,
  type Value,
} from '../src/ir/graph.js';
import type { DType } from '../src/ir/type.js';
import { pointwise } from '../src/ops/pointwise.js';
import type { Precision } from './precision.js';

const converted: readonly DType[] = ['f16', 'bf16', 'f32'];

/** The same graph with inputs and outputs of f16, bf16 and f32 in one type, converted at its borders. */
export function withPortsOf(g: Graph, to: Precision): Graph {
  const made = new Map<Value, Value>();
  const ports = new Map<Value, Value>();
  const users = usersOf(g);
  const inType = (v: Value, type: DType, { origin }: Node): Value =>
    emit(pointwise, [v], { expr: cast(type, arg(0)) }, origin).outputs[0]!;
  const differs = ({ type }: Value): boolean =>
    type.kind === 'tensor' && type.dtype !== to && converted.includes(type.dtype);
  for (const n of topological(g)) {
    const v = n.outputs[0]!;
    if (is(n, input) && v.type.kind === 'tensor' && differs(v)) {
      const port = inputValue(n.attrs.name, { ...v.type, dtype: to }, n.origin);
      ports.set(v, port);
      // A conversion belongs to a node beside it, as inputs are none of the model's nodes.
      made.set(v, inType(port, v.type.dtype, users.get(v)?.[0] ?? n));
      continue;
    }
    const copy = rebuilt(
      n,
      n.inputs.map((i) => made.get(i)!),
    );
    n.outputs.forEach((o, i) => {
      made.set(o, copy.outputs[i]!);
    });
  }
  const now = (v: Value): Value => made.get(v)!;
  const outputs = g.outputs.map((v) => (differs(v) ? inType(now(v), to, v.node) : now(v)));
  const bindings = new Map([...g.bindings].map(([k, b]) => [k, { ...b, value: now(b.value) }]));
  return graph(
    g.inputs.map((v) => ports.get(v) ?? now(v)),
    outputs,
    g.outputNames,
    bindings,
  );
}
