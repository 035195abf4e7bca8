import { sameShape } from '../src/ir/dim.js';
import { emit, is, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { type MatmulAttrs, matmul } from '../src/ops/matmul.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { keepsLast } from './permutations.js';
import { isPerColumn } from './regions.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * A product with one matrix does not care in which order its rows come, nor does what is added to each of them alike.
 * Layers that want the samples of a batch beside one another, where attention does not, turn them in front of its
 * products and back behind it: here these transposes meet. Runs before epilogues are fused, which they are in the way of.
 */
export const rowProducts: SyncPass = {
  name: 'row-products',
  run: (g) => settle(g, [rowsApart, turnedEarlier]),
};

/** A product of rows with one matrix, and with nothing in its epilogue that knows one row from another. */
export function productOfRows({ node }: Value): Node<MatmulAttrs> | undefined {
  if (!is(node, matmul) || node.attrs.transA) return undefined;
  const [, matrix, ...extras] = node.inputs;
  return shapeOf(matrix!).length === 2 && extras.every(isPerColumn) ? node : undefined;
}

/** What computes each row from one row, down to a product, and which operand its rows are. */
function rowWork(v: Value, readers: Readers): { readonly node: Node; readonly rows: number } | undefined {
  if (readers(v) !== 1) return undefined;
  if (productOfRows(v)) return { node: v.node, rows: 0 };
  if (!is(v.node, pointwise)) return undefined;
  const { inputs } = v.node;
  const full = inputs.findIndex((x) => sameShape(shapeOf(x), shapeOf(v)));
  const alike = inputs.every((x, i) => i === full || isPerColumn(x));
  return alike && full >= 0 && rowWork(inputs[full]!, readers) ? { node: v.node, rows: full } : undefined;
}

const withRows = ({ node, rows }: { readonly node: Node; readonly rows: number }, made: Value): Value =>
  emit(
    node.op,
    node.inputs.map((v, i) => (i === rows ? made : v)),
    node.attrs,
    node.origin,
  ).outputs[0]!;

/** Rows that a reshape tells apart behind such work are told apart in front of it. */
const rowsApart = on(reshape, (node, readers) => {
  const [x] = node.inputs;
  const { shape } = node.attrs;
  const work = rowWork(x!, readers);
  if (!work || shape.length < 3 || shape.at(-1) !== shapeOf(x!).at(-1)) return undefined;
  const rows = work.node.inputs[work.rows]!;
  if (shapeOf(rows).length !== 2) return undefined;
  const apart = builder(node.origin)(reshape, [rows], { shape: [...shape.slice(0, -1), shapeOf(rows)[1]!] });
  return withRows(work, apart);
});

/** Whether rows have been turned on their way to work, which may be on their way to more. */
function areTurned(rows: Value, readers: Readers): boolean {
  const { node } = rows;
  if (is(node, reshape)) return areTurned(node.inputs[0]!, readers);
  const work = rowWork(rows, readers);
  return is(node, transpose) || (work !== undefined && areTurned(work.node.inputs[work.rows]!, readers));
}

/** Rows that have been turned on their way to such work, and are again behind it, are turned in front of it. */
const turnedEarlier = on(transpose, (node, readers) => {
  const [x] = node.inputs;
  const { perm } = node.attrs;
  const work = rowWork(x!, readers);
  if (!work || perm.length < 3 || !keepsLast(perm)) return undefined;
  const rows = work.node.inputs[work.rows]!;
  if (!areTurned(rows, readers)) return undefined;
  return withRows(work, builder(node.origin)(transpose, [rows], { perm }));
});
