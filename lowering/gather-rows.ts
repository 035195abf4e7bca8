import { isStatic } from '../src/ir/dim.js';
import {
  dtypeOf,
  type Graph,
  is,
  type Node,
  shapeOf,
  topological,
  usersOf,
  type Value,
} from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { bitsOf } from '../src/ir/type.js';
import { concat } from '../src/ops/concat.js';
import { constant } from '../src/ops/constant.js';
import { stridesOf } from '../src/ops/content.js';
import { gather } from '../src/ops/gather.js';
import { builder } from '../src/ops/op.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { elementCount } from '../src/support/tensor-data.js';
import { literalAt } from './literals.js';
import { keepsLast } from './permutations.js';
import { rebuild } from './rebuild.js';
import type { SyncPass } from './steps.js';

/** Slices, concatenations and transposes that one lookup of rows is worth. */
const fewestMoves = 3;
const fewestBytes = 32;
const mostRows = 1 << 20;

/**
 * Slices, concatenations and transposes that only rearrange the rows of one value, as shifted windows and merged
 * patches do, become one lookup of rows by indices that are known. Runs last: all that others could take of them
 * they have taken.
 */
export const gatherRows = (compiles: (n: Node) => boolean): SyncPass => ({
  name: 'gather-rows',
  run: (g) => {
    const plans = new Map<Node, Plan>();
    for (const n of topological(g)) {
      if (!isMove(n) || !isEnd(g, n)) continue;
      const plan = planFor(n.outputs[0]!);
      if (plan && compiles(looked(plan, plan.source).node)) plans.set(n, plan);
    }
    if (plans.size === 0) return g;
    return rebuild(g, (old, copy, now) => {
      const plan = plans.get(old);
      if (!plan) return undefined;
      const rows = looked(plan, now(plan.source));
      return [builder(copy.origin)(reshape, [rows], { shape: plan.shape })];
    });
  },
});

interface Plan {
  readonly source: Value;
  readonly shape: readonly number[];
  /** Samples that are rearranged alike, rows of one of them in the source, and which of those are taken. */
  readonly samples: number;
  readonly rows: number;
  readonly taken: readonly number[];
  readonly length: number;
}

const isMove = (n: Node): boolean => is(n, slice) || is(n, concat) || is(n, transpose) || is(n, reshape);

/** Whether a move's result is read by something else than moves, or is one. */
const isEnd = (g: Graph, n: Node): boolean => {
  const users = usersOf(g).get(n.outputs[0]!) ?? [];
  return g.outputs.includes(n.outputs[0]!) || !users.every(isMove);
};

function looked({ source, samples, rows, taken, length }: Plan, x: Value): Value {
  const b = builder(source.node.origin);
  const flat = b(reshape, [x], { shape: [samples, rows, length] });
  const indices = b(constant, [], { value: literalOf('i32', [taken.length], taken) });
  return b(gather, [flat, indices], { axis: 1 });
}

function planFor(v: Value): Plan | undefined {
  const moves = new Set<Node>();
  const sources = new Set<Value>();
  const visit = (x: Value): void => {
    if (!isMove(x.node)) sources.add(x);
    else if (!moves.has(x.node)) {
      moves.add(x.node);
      x.node.inputs.forEach(visit);
    }
  };
  visit(v);
  const [source] = sources;
  if (!source || sources.size > 1 || literalAt(source)) return undefined;
  if ([...moves].filter((n) => !is(n, reshape)).length < fewestMoves) return undefined;
  const [from, shape] = [shapeOf(source), shapeOf(v)];
  if (!isStatic(from) || !isStatic(shape) || from.length < 2) return undefined;
  const length = from.at(-1)!;
  if (length === 0 || (length * bitsOf[dtypeOf(source)]) / 8 < fewestBytes) return undefined;
  const count = elementCount(from) / length;
  if (count === 0 || count > mostRows) return undefined;
  const taken = rowsOf(v, source, length, new Map());
  return taken && { source, shape, length, ...bySample(taken, count, from[0]!) };
}

/** The same for each sample where that is so. */
function bySample(
  taken: readonly number[],
  rows: number,
  samples: number,
): Pick<Plan, 'samples' | 'rows' | 'taken'> {
  const [own, each] = [rows / samples, taken.length / samples];
  const alike =
    Number.isInteger(own) &&
    Number.isInteger(each) &&
    taken.every((row, i) => row === taken[i % each]! + Math.floor(i / each) * own);
  return alike ? { samples, rows: own, taken: taken.slice(0, each) } : { samples: 1, rows, taken };
}

type Known = Map<Value, readonly number[] | undefined>;

/** Which rows of the source a value consists of, in order. */
function rowsOf(v: Value, source: Value, length: number, known: Known): readonly number[] | undefined {
  if (!known.has(v)) known.set(v, rearranged(v, source, length, known));
  return known.get(v);
}

function rearranged(v: Value, source: Value, length: number, known: Known): readonly number[] | undefined {
  const shape = shapeOf(v);
  if (!isStatic(shape) || shape.length === 0 || shape.at(-1)! % length !== 0) return undefined;
  const { node } = v;
  if (v === source) return Array.from({ length: elementCount(shape) / length }, (_, i) => i);
  const parts = node.inputs.map((x) => rowsOf(x, source, length, known));
  if (parts.some((p) => p === undefined)) return undefined;
  const [rows] = parts as readonly (readonly number[])[];
  const grid = (s: readonly number[]): readonly number[] => [...s.slice(0, -1), s.at(-1)! / length];
  const inputs = node.inputs.map((x) => shapeOf(x) as readonly number[]);
  if (is(node, reshape)) return rows;
  if (is(node, transpose)) {
    const { perm } = node.attrs;
    if (!keepsLast(perm)) return undefined;
    const strides = stridesOf(grid(inputs[0]!));
    return pick(
      rows!,
      grid(shape),
      0,
      perm.map((p) => strides[p]!),
    );
  }
  if (is(node, slice)) {
    const { starts, steps } = node.attrs;
    const last = shape.length - 1;
    if (!isStatic(starts) || !isStatic(steps) || shape[last] !== inputs[0]![last]) return undefined;
    const strides = stridesOf(grid(inputs[0]!));
    const offset = starts.reduce((sum, s, d) => sum + s * strides[d]!, 0);
    return pick(
      rows!,
      grid(shape),
      offset,
      strides.map((s, d) => s * steps[d]!),
    );
  }
  if (!is(node, concat)) return undefined;
  const { axis } = node.attrs;
  const outer = elementCount(shape.slice(0, axis));
  const all = parts as readonly (readonly number[])[];
  return Array.from({ length: outer }, (_, o) =>
    all.flatMap((p) => p.slice((o * p.length) / outer, ((o + 1) * p.length) / outer)),
  ).flat();
}

function pick(
  rows: readonly number[],
  shape: readonly number[],
  offset: number,
  strides: readonly number[],
): readonly number[] {
  let places = [offset];
  for (const [d, n] of shape.entries())
    places = places.flatMap((p) => Array.from({ length: n }, (_, i) => p + i * strides[d]!));
  return places.map((p) => rows[p]!);
}
