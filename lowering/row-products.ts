import { is, type Node, shapeOf, type Value } from '../src/ir/graph.js';
import { type MatmulAttrs, matmul } from '../src/ops/matmul.js';
import { builder } from '../src/ops/op.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * A product with one matrix does not care in which order its rows come. Layers that want the samples of a batch
 * beside one another, where attention does not, turn them in front of its products and back behind it: here these
 * transposes meet. Runs before epilogues are fused, which they are in the way of.
 */
export const rowProducts: SyncPass = {
  name: 'row-products',
  run: (g) => settle(g, [rowsApart, turnedEarlier]),
};

/** A product of rows with one matrix, and with nothing in its epilogue that knows one row from another. */
function ofRows(v: Value): Node<MatmulAttrs> | undefined {
  if (!is(v.node, matmul) || v.node.attrs.transA) return undefined;
  const [, matrix, ...extras] = v.node.inputs;
  return shapeOf(matrix!).length === 2 && extras.every((e) => shapeOf(e).length <= 1) ? v.node : undefined;
}

const keepsLast = (perm: readonly number[]): boolean => perm.length > 2 && perm.at(-1) === perm.length - 1;

const withRows = (product: Node<MatmulAttrs>, rows: Value): Value =>
  builder(product.origin)(matmul, [rows, ...product.inputs.slice(1)], product.attrs);

/** Rows that a reshape tells apart behind a product are told apart in front of it. */
const rowsApart = on(reshape, (node, readers) => {
  const [x] = node.inputs;
  const product = ofRows(x!);
  const { shape } = node.attrs;
  if (!product || readers(x!) !== 1 || shape.length < 3 || shape.at(-1) !== shapeOf(x!).at(-1))
    return undefined;
  const rows = product.inputs[0]!;
  if (shapeOf(rows).length !== 2) return undefined;
  const apart = builder(node.origin)(reshape, [rows], {
    shape: [...shape.slice(0, -1), shapeOf(rows)[1]!],
  });
  return withRows(product, apart);
});

/** Rows that have been turned on their way to a product, and are again behind it, are turned in front of it. */
const turnedEarlier = on(transpose, (node, readers) => {
  const [x] = node.inputs;
  const { perm } = node.attrs;
  const product = ofRows(x!);
  if (!product || readers(x!) !== 1 || !keepsLast(perm)) return undefined;
  const rows = product.inputs[0]!;
  let moved = rows;
  while (is(moved.node, reshape)) moved = moved.node.inputs[0]!;
  if (!is(moved.node, transpose)) return undefined;
  return withRows(product, builder(node.origin)(transpose, [rows], { perm }));
});
