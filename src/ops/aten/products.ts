import { type Dim, mul, numel } from '../../ir/dim.js';
import { arg, call, type Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { bitsOf, type DType, isInteger } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { withOperand } from '../epilogue.js';
import { matmul, numpyProduct } from '../matmul.js';
import { axisOf, type Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { reduce } from '../reduce.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one } from './operands.js';
import { permuted, reshaped } from './shapes.js';

const plain = { transA: false, transB: false };

export const sum: Expr = call('add', arg(0), arg(1));

/** Under autocast the operands are wider than the result. */
export const typed = (n: AtenNode, b: Build, name: string): Value =>
  castTo(b, n.tensor(name), n.result().dtype);

const linear: AtenConverter = (n, b) => {
  const [x, w] = [typed(n, b, 'input'), typed(n, b, 'weight')];
  const bias = n.has('bias') ? typed(n, b, 'bias') : undefined;
  const vector = shapeOf(x).length === 1;
  const rows = vector ? reshaped(b, x, [1, ...shapeOf(x)]) : x;
  const attrs = { transA: false, transB: true };
  const out = n.result().shape;
  const y = bias
    ? withOperand(b, bias, sum, vector ? [1, ...out] : out, (extras, epilogue) =>
        b(matmul, [rows, w, ...extras], { ...attrs, epilogue }),
      )
    : b(matmul, [rows, w], attrs);
  return vector ? reshaped(b, y, out) : y;
};

const factor = (e: Expr, by: number | bigint, t: DType): Expr =>
  Number(by) === 1 ? e : call('mul', e, numberOf(by, t));

/** Whole numbers of few bits are multiplied in 32; what does not fit wraps in the end as it does on the way. */
export function multiplied(b: Build, x: Value, y: Value): Value {
  const t = dtypeOf(x);
  if (!isInteger(t) || bitsOf[t] >= 32) return numpyProduct(x, y, b);
  return castTo(b, numpyProduct(castTo(b, x, 'i32'), castTo(b, y, 'i32'), b), t);
}

const product =
  (right: string): AtenConverter =>
  (n, b) =>
    multiplied(b, typed(n, b, 'self'), typed(n, b, right));

/** beta * self + alpha * (left right). */
const added =
  (self: string, left: string, right: string): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const [alpha, beta] = [n.number('alpha', 1), n.number('beta', 1)];
    const inputs = [typed(n, b, left), typed(n, b, right)];
    const product = factor(arg(0), alpha, t);
    const sums = call('add', product, factor(arg(1), beta, t));
    if (isInteger(t) && bitsOf[t] < 32) {
      const y = multiplied(b, inputs[0]!, inputs[1]!);
      if (Number(beta) === 0) return one(b, y, product);
      return b(pointwise, [y, typed(n, b, self)], { expr: sums });
    }
    if (Number(beta) === 0)
      return b(matmul, inputs, { ...plain, epilogue: Number(alpha) === 1 ? undefined : product });
    return withOperand(b, typed(n, b, self), sums, n.result().shape, (extras, e) =>
      b(matmul, [...inputs, ...extras], { ...plain, epilogue: e }),
    );
  };

/** The products of all matrices of two stacks, added up. */
const addbmm: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const [left, right] = [typed(n, b, 'batch1'), typed(n, b, 'batch2')];
  const [batch, rows, depth] = shapeOf(left) as [Dim, Dim, Dim];
  const columns = shapeOf(right)[2]!;
  const wide = reshaped(b, permuted(b, left, [1, 0, 2]), [rows, mul(batch, depth)]);
  const y = multiplied(b, wide, reshaped(b, right, [mul(batch, depth), columns]));
  const beta = n.number('beta', 1);
  const product = factor(arg(0), n.number('alpha', 1), t);
  if (Number(beta) === 0) return one(b, y, product);
  return b(pointwise, [y, typed(n, b, 'self')], { expr: call('add', product, factor(arg(1), beta, t)) });
};

const addr: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const [x, y] = [typed(n, b, 'vec1'), typed(n, b, 'vec2')];
  const [alpha, beta] = [n.number('alpha', 1), n.number('beta', 1)];
  const column = reshaped(b, x, [...shapeOf(x), 1]);
  if (t === 'bool') {
    const both = Number(alpha) === 0 ? numberOf(0, t) : call('and', arg(0), arg(1));
    if (Number(beta) === 0) return b(pointwise, [column, y], { expr: both });
    return b(pointwise, [column, y, typed(n, b, 'self')], { expr: call('or', both, arg(2)) });
  }
  const product = factor(call('mul', arg(0), arg(1)), alpha, t);
  if (Number(beta) === 0) return b(pointwise, [column, y], { expr: product });
  return b(pointwise, [column, y, typed(n, b, 'self')], {
    expr: call('add', factor(arg(2), beta, t), product),
  });
};

/** Sums over the last axes of both; a scalar scales. */
const inner: AtenConverter = (n, b) => {
  const [x, y] = [typed(n, b, 'self'), typed(n, b, 'other')];
  const [p, q] = [shapeOf(x), shapeOf(y)];
  if (p.length === 0 || q.length === 0) return b(pointwise, [x, y], { expr: call('mul', arg(0), arg(1)) });
  const rows = reshaped(b, x, [numel(p.slice(0, -1)), p.at(-1)!]);
  const columns = reshaped(b, y, [numel(q.slice(0, -1)), q.at(-1)!]);
  const product = multiplied(b, rows, permuted(b, columns, [1, 0]));
  return reshaped(b, product, [...p.slice(0, -1), ...q.slice(0, -1)]);
};

const vecdot: AtenConverter = (n, b) => {
  const products = b(pointwise, [typed(n, b, 'x'), typed(n, b, 'y')], { expr: call('mul', arg(0), arg(1)) });
  const axis = axisOf(n.int('dim', -1), shapeOf(products).length);
  return b(reduce, [products], { kind: 'sum', axes: [axis], keepdims: false });
};

/** A chain of products, from left to right. */
const multiDot: AtenConverter = (n, b) => {
  const values = n.tensors('tensors').map((v) => castTo(b, v, n.result().dtype));
  return values.reduce((x, y) => multiplied(b, x, y));
};

/** For each output the sum over all pairs of elements, weighed: first over the one, then over the other. */
const bilinear: AtenConverter = (n, b) => {
  const [x, y, w] = [typed(n, b, 'input1'), typed(n, b, 'input2'), typed(n, b, 'weight')];
  const lead = shapeOf(x).slice(0, -1);
  const [out, depth, width] = shapeOf(w) as [Dim, Dim, Dim];
  const rows = reshaped(b, x, [numel(lead), depth]);
  const flat = reshaped(b, permuted(b, w, [1, 0, 2]), [depth, mul(out, width)]);
  const first = reshaped(b, multiplied(b, rows, flat), [numel(lead), out, width]);
  const both = multiplied(b, first, reshaped(b, y, [numel(lead), width, 1]));
  const sums = reshaped(b, both, [...lead, out]);
  return n.has('bias') ? b(pointwise, [sums, typed(n, b, 'bias')], { expr: sum }) : sums;
};

const addmv: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const y = multiplied(b, typed(n, b, 'mat'), typed(n, b, 'vec'));
  const scaled = factor(arg(0), n.number('alpha', 1), t);
  if (Number(n.number('beta', 1)) === 0) return one(b, y, scaled);
  const expr = call('add', scaled, factor(arg(1), n.number('beta', 1), t));
  return b(pointwise, [y, typed(n, b, 'self')], { expr });
};

const outer: AtenConverter = (n, b) => {
  const [x, y] = [typed(n, b, 'self'), typed(n, b, n.has('vec2') ? 'vec2' : 'other')];
  return b(pointwise, [reshaped(b, x, [...shapeOf(x), 1]), y], { expr: call('mul', arg(0), arg(1)) });
};

export const products: AtenMap = {
  linear,
  matmul: product('other'),
  mm: product('mat2'),
  bmm: product('mat2'),
  mv: product('vec'),
  dot: product('tensor'),
  vdot: product('other'),
  inner,
  outer,
  ger: outer,
  addmm: added('self', 'mat1', 'mat2'),
  baddbmm: added('self', 'batch1', 'batch2'),
  addbmm,
  addmv,
  addr,
  bilinear,
  linalg_vecdot: vecdot,
  linalg_multi_dot: multiDot,
};
