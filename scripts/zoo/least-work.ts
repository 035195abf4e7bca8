import { bounds } from '../../src/ir/dim.js';
import { type Graph, is, type Node, topological, type Value } from '../../src/ir/graph.js';
import { constant } from '../../src/ops/constant.js';
import { foreign } from '../../src/ops/foreign.js';

/**
 * Floating-point operations of a node that nobody estimates, such as one of an unknown operator: every constant it
 * reads once for every row of its first input, the costlier of the bodies that it may run.
 */
export function leastWork(n: Node): number {
  const constants = n.inputs.filter((v) => is(v.node, constant));
  const weights = constants.reduce((sum, v) => sum + (leastSize(v) ?? 0), 0);
  const bodies = bodiesOf(n).map((g) => topological(g).reduce((sum, m) => sum + leastWork(m), 0));
  return 2 * rowsOf(n) * weights + Math.max(0, ...bodies);
}

function rowsOf(n: Node): number {
  const first = n.inputs.find((v) => !is(v.node, constant));
  if (first?.type.kind !== 'tensor') return 1;
  const { shape } = first.type;
  return shape.slice(0, -1).reduce((p: number, d) => p * Math.max(1, bounds(d)[0]), 1);
}

const leastSize = ({ type }: Value): number | undefined =>
  type.kind === 'tensor' ? type.shape.reduce((p: number, d) => p * Math.max(1, bounds(d)[0]), 1) : undefined;

function bodiesOf(n: Node): readonly Graph[] {
  const values = is(n, foreign)
    ? n.attrs.attributes.map((a) => a.value as unknown)
    : Object.values(n.attrs as Readonly<Record<string, unknown>>);
  return values.flatMap((v) => (Array.isArray(v) ? v : [v])).filter(isGraph);
}

const isGraph = (v: unknown): v is Graph =>
  typeof v === 'object' && v !== null && 'inputs' in v && 'outputs' in v && 'bindings' in v;
