import { arg, call, type Expr } from '../src/ir/expr.js';
import {
  emit,
  type Graph,
  is,
  type Node,
  readersOf,
  shapeOf,
  topological,
  type Value,
} from '../src/ir/graph.js';
import { computedLiteral, type Literal, literal } from '../src/ir/literal.js';
import { bitsOf, type DType, isFloat } from '../src/ir/type.js';
import { type AttentionAttrs, attention } from '../src/ops/attention.js';
import type { AttentionMove } from '../src/ops/attention-parts.js';
import { constant } from '../src/ops/constant.js';
import { type MatmulAttrs, matmul } from '../src/ops/matmul.js';
import { type Build, builder } from '../src/ops/op.js';
import { reshape } from '../src/ops/reshape.js';
import { slicedAxis } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { moveOf, withParts } from './attention-parts.js';
import { literalAt } from './literals.js';
import { rebuild } from './rebuild.js';
import type { SyncPass } from './steps.js';

/** Columns of one product begin at multiples of this many in the merged one, so that they can be read 16 bytes at a time. */
const columns = 8;

/**
 * Queries, keys and values that are products of the same rows become one product with the weights side by side,
 * where attention can read them there: one launch instead of three, or of as many as layers attend to the same
 * rows. Runs ahead of attention-parts.
 */
export const mergeProducts = (compiles: (n: Node) => boolean): SyncPass => ({
  name: 'merge-products',
  run: (g) => {
    const merged = groupsOf(g).flatMap((group) => {
      const fits = group.length > 1 && attentionsOf(g, group).every((n) => readsMerged(n, group, compiles));
      return fits ? [group] : [];
    });
    if (merged.length === 0) return g;
    const groups = new Map(merged.flatMap((group) => group.map((p) => [p.node as Node, group] as const)));
    const made = new Map<Group, Value>();
    return rebuild(g, (old, copy) => {
      const group = groups.get(old);
      if (!group) return undefined;
      const whole = made.get(group) ?? mergedOf(group, copy.inputs[0]!);
      made.set(group, whole);
      return [columnsOf(builder(copy.origin), whole, group, old)];
    });
  },
});

type Product = Node<MatmulAttrs>;

/** One of the products that read the same rows: its weights are a matrix, its epilogue at most adds a bias. */
interface Member {
  readonly node: Product;
  readonly count: number;
  readonly weights: Literal;
  readonly bias: Literal | undefined;
}

type Group = readonly Member[];

function groupsOf(g: Graph): readonly Group[] {
  const groups = new Map<Value, Map<string, Member[]>>();
  const seen = new Set<Node>();
  for (const n of topological(g)) {
    if (!is(n, attention)) continue;
    for (const v of n.inputs.slice(0, 3)) {
      const member = memberOf(v, (x) => readersOf(g, x) === 1);
      if (!member || seen.has(member.node as Node)) continue;
      seen.add(member.node as Node);
      const rows = member.node.inputs[0]!;
      const same = groups.get(rows) ?? new Map<string, Member[]>();
      const key = `${member.node.attrs.transB} ${member.weights.dtype}`;
      same.set(key, [...(same.get(key) ?? []), member]);
      groups.set(rows, same);
    }
  }
  return [...groups.values()].flatMap((same) => [...same.values()]);
}

/** The product behind an operand of attention, if moves of its elements are all that lies between them. */
function memberOf(v: Value, alone: (v: Value) => boolean): Member | undefined {
  if (!alone(v)) return undefined;
  const { node } = v;
  if (is(node, reshape) || is(node, transpose)) return memberOf(node.inputs[0]!, alone);
  if (!is(node, matmul) || node.attrs.transA) return undefined;
  const weights = literalAt(node.inputs[1]!);
  const [k, n] = node.attrs.transB ? [1, 0] : [0, 1];
  if (weights?.shape.length !== 2 || !isFloat(weights.dtype) || bitsOf[weights.dtype] > 32) return undefined;
  const count = weights.shape[n]!;
  const rows = shapeOf(node.inputs[0]!);
  if (count % columns !== 0 || rows.length < 2 || rows.at(-1) !== weights.shape[k]) return undefined;
  const bias = biasOf(node, count, weights.dtype);
  return bias && { node, count, weights, bias: bias.literal };
}

function biasOf(node: Product, count: number, dtype: DType): { literal: Literal | undefined } | undefined {
  const { epilogue } = node.attrs;
  if (!epilogue) return { literal: undefined };
  if (epilogue.kind !== 'call' || epilogue.fn !== 'add') return undefined;
  const [a, c] = epilogue.args as [Expr, Expr];
  const other = a.kind === 'in' && a.index === 0 ? c : c.kind === 'in' && c.index === 0 ? a : undefined;
  if (other?.kind === 'const' && Number(other.value) === 0) return { literal: undefined };
  const bias = other?.kind === 'in' && other.index === 1 ? literalAt(node.inputs[2]!) : undefined;
  return bias?.size === count && bias.dtype === dtype ? { literal: bias } : undefined;
}

const attentionsOf = (g: Graph, group: Group): readonly Node<AttentionAttrs>[] => {
  const nodes = new Set(group.map((m) => m.node as Node));
  const found: Node<AttentionAttrs>[] = [];
  for (const n of topological(g))
    if (is(n, attention) && n.inputs.slice(0, 3).some((v) => nodes.has(pathTo(v).source.node))) found.push(n);
  return found;
};

/** Where an operand comes from by moves, and those moves, the nearest to the source first. */
function pathTo(v: Value): { readonly source: Value; readonly moves: readonly AttentionMove[] } {
  const move = moveOf(v);
  if (!move) return { source: v, moves: [] };
  const { source, moves } = pathTo(v.node.inputs[0]!);
  return { source, moves: [...moves, move] };
}

/** Whether the attention reads all that is merged of its operands where it lies. */
function readsMerged(node: Node<AttentionAttrs>, group: Group, compiles: (n: Node) => boolean): boolean {
  const b = builder(node.origin);
  const whole = mergedOf(group, group[0]!.node.inputs[0]!);
  const nodes = new Set(group.map((m) => m.node as Node));
  const paths = node.inputs.map((v, i) => (i < 3 ? pathTo(v) : undefined));
  const moved = paths.map((path) => path !== undefined && nodes.has(path.source.node));
  const inputs = node.inputs.map((v, i) => {
    const path = paths[i];
    if (!path || !moved[i]) return v;
    return path.moves.reduce((x, move) => applied(b, x, move), columnsOf(b, whole, group, path.source.node));
  });
  const trial = emit(attention, inputs, node.attrs, node.origin);
  const done = withParts(trial, compiles);
  return moved.every((m, i) => !m || done.inputs[i] === whole);
}

function applied(b: Build, x: Value, move: AttentionMove): Value {
  if (move.kind === 'reshape') return b(reshape, [x], { shape: move.shape });
  return move.kind === 'transpose' ? b(transpose, [x], { perm: move.perm }) : x;
}

function columnsOf(b: Build, whole: Value, group: Group, node: Node): Value {
  const at = group.findIndex((m) => (m.node as Node) === node);
  const start = group.slice(0, at).reduce((sum, m) => sum + m.count, 0);
  return slicedAxis(b, whole, shapeOf(whole).length - 1, start, group[at]!.count);
}

function mergedOf(group: Group, rows: Value): Value {
  const [{ node }] = group as readonly [Member, ...Member[]];
  const b = builder(node.origin);
  const { transB } = node.attrs;
  const weights = b(constant, [], {
    value: sideBySide(
      group.map((m) => m.weights),
      transB,
    ),
  });
  if (group.every((m) => !m.bias)) return b(matmul, [rows, weights], { transA: false, transB });
  const bias = b(constant, [], { value: sideBySide(group.map(biasRow), true) });
  const epilogue = call('add', arg(0), arg(1));
  return b(matmul, [rows, weights, bias], { transA: false, transB, epilogue });
}

const biasRow = ({ bias, weights: { dtype }, count }: Member): Literal =>
  bias?.reshaped([count]) ?? literal(dtype, [count], new Uint8Array((count * bitsOf[dtype]) / 8));

/** Matrices with as many rows, joined along the columns, or along the first axis. */
function sideBySide(parts: readonly Literal[], first: boolean): Literal {
  const [{ dtype, shape }] = parts as readonly [Literal, ...Literal[]];
  const rows = first ? 1 : shape[0]!;
  const sum = (axis: number): number => parts.reduce((n, p) => n + p.shape[axis]!, 0);
  const joined = first ? [sum(0), ...shape.slice(1)] : [rows, sum(1)];
  const make = (): Uint8Array => {
    const all = parts.map((p) => p.bytes());
    const out = new Uint8Array(all.reduce((n, p) => n + p.byteLength, 0));
    let to = 0;
    for (let r = 0; r < rows; r++)
      for (const p of all) {
        const length = p.byteLength / rows;
        out.set(p.subarray(r * length, (r + 1) * length), to);
        to += length;
      }
    return out;
  };
  return computedLiteral(dtype, joined, make, parts[0]);
}
