import { type Graph, is, type Node, usersOf, type Value } from '../src/ir/graph.js';
import { computedLiteral, type Literal } from '../src/ir/literal.js';
import { bitsOf } from '../src/ir/type.js';
import { constant } from '../src/ops/constant.js';
import { type MatmulAttrs, matmul } from '../src/ops/matmul.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { slice } from '../src/ops/slice.js';
import { literalAt, slicedLiteral } from './literals.js';
import { rebuild } from './rebuild.js';
import type { SyncPass } from './steps.js';

/**
 * A product whose columns go separate ways into pointwise work, as those of gates do, becomes a product for each:
 * nothing is sliced then, and the work joins an epilogue. Runs once biases are in epilogues, and before the rest
 * of the pointwise nodes are.
 */
export const splitProducts: SyncPass = {
  name: 'split-products',
  run: (g) => {
    const parts = new Map([...usersOf(g)].flatMap(([v, users]) => partsOf(g, v, users)));
    if (parts.size === 0) return g;
    return rebuild(g, (old, _, now) => {
      const part = parts.get(old);
      return part && [columnsAlone(old, part, now(part.product.inputs[0]!))];
    });
  },
};

/** Columns [start, start + count) of a product with constant weights. */
interface Part {
  readonly product: Node<MatmulAttrs>;
  readonly start: number;
  readonly count: number;
}

/** The slices of a value that become products, if nothing but such slices reads it. */
function partsOf(g: Graph, v: Value, users: readonly Node[]): readonly (readonly [Node, Part])[] {
  const { node } = v;
  if (!is(node, matmul) || users.length < 2 || !canBeSplit(node) || isResult(g, v)) return [];
  const parts = users.map((n) => partOf(g, node, n));
  const ordered = parts.filter((p) => p !== undefined).sort((a, c) => a.start - c.start);
  const apart = ordered.every((p, i) => i === 0 || ordered[i - 1]!.start + ordered[i - 1]!.count <= p.start);
  return apart && ordered.length === parts.length ? parts.map((p, i) => [users[i]!, p!]) : [];
}

const isResult = (g: Graph, v: Value): boolean =>
  g.outputs.includes(v) || [...g.bindings.values()].some((b) => b.value === v);

function canBeSplit({ inputs, attrs }: Node<MatmulAttrs>): boolean {
  const weights = literalAt(inputs[1]!);
  if (weights?.shape.length !== 2 || bitsOf[weights.dtype] < 8 || attrs.transA) return false;
  const count = weights.shape[attrs.transB ? 0 : 1];
  return inputs.slice(2).every((v) => {
    const l = literalAt(v);
    return l !== undefined && (l.size === 1 || (l.size === count && l.shape.at(-1) === count));
  });
}

function partOf(g: Graph, product: Node<MatmulAttrs>, node: Node): Part | undefined {
  if (!is(node, slice)) return undefined;
  const { starts, steps, shape } = node.attrs;
  const [start, count] = [starts.at(-1), shape.at(-1)];
  const [out] = node.outputs;
  if (typeof start !== 'number' || typeof count !== 'number' || !steps.every((s) => s === 1))
    return undefined;
  if (!starts.slice(0, -1).every((s) => s === 0) || isResult(g, out!)) return undefined;
  const users = usersOf(g).get(out!) ?? [];
  return users.length > 0 && users.every((u) => is(u, pointwise)) ? { product, start, count } : undefined;
}

function columnsAlone(old: Node, { product, start, count }: Part, rows: Value): Value {
  const b = builder(old.origin);
  const { attrs } = product;
  const [weights, ...extras] = product.inputs.slice(1).map((v, i) => {
    const l = literalAt(v)!;
    const axis = i === 0 && attrs.transB ? 0 : l.shape.length - 1;
    return l.size === 1 ? v : b(constant, [], { value: part(l, axis, start, count) });
  });
  return b(matmul, [rows, weights!, ...extras], attrs);
}

/** Part of one axis, read when somebody asks. */
function part(l: Literal, axis: number, start: number, count: number): Literal {
  const at = (own: number, rest: number) => (_: number, d: number) => (d === axis ? own : rest);
  const shape = l.shape.map((n, d) => (d === axis ? count : n));
  const make = (): Uint8Array =>
    slicedLiteral(
      l,
      l.shape.map(at(start, 0)),
      l.shape.map(() => 1),
      shape,
    )!.bytes();
  return computedLiteral(l.dtype, shape, make);
}
