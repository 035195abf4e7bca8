import { add, type Dim, mul, numel, sub } from '../../ir/dim.js';
import { arg, call, type Expr } from '../../ir/expr.js';
import { shapeOf, type Value } from '../../ir/graph.js';
import type { DType } from '../../ir/type.js';
import { castTo } from '../cast.js';
import { channelOperand, conv } from '../conv.js';
import { convTranspose } from '../conv-transpose.js';
import { einsum } from '../einsum.js';
import { withOperand } from '../epilogue.js';
import { matmul, numpyProduct } from '../matmul.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { windowCounts, withSpatial } from '../window.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf } from './operands.js';
import { permuted, reshaped } from './shapes.js';

const plain = { transA: false, transB: false };
const sum: Expr = call('add', arg(0), arg(1));

/** Under autocast the operands are wider than the result. */
const typed = (n: AtenNode, b: Build, name: string): Value => castTo(b, n.tensor(name), n.result().dtype);

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

/** beta * self + alpha * (left right). */
const added =
  (self: string, left: string, right: string): AtenConverter =>
  (n, b) => {
    const t = n.result().dtype;
    const [alpha, beta] = [n.number('alpha', 1), n.number('beta', 1)];
    const inputs = [typed(n, b, left), typed(n, b, right)];
    const product = factor(arg(0), alpha, t);
    if (Number(beta) === 0) {
      const y = b(matmul, inputs, { ...plain, epilogue: Number(alpha) === 1 ? undefined : product });
      return y;
    }
    const epilogue = call('add', product, factor(arg(1), beta, t));
    return withOperand(b, typed(n, b, self), epilogue, n.result().shape, (extras, e) =>
      b(matmul, [...inputs, ...extras], { ...plain, epilogue: e }),
    );
  };

const product =
  (right: string): AtenConverter =>
  (n, b) =>
    numpyProduct(typed(n, b, 'self'), typed(n, b, right), b);

const addmv: AtenConverter = (n, b) => {
  const t = n.result().dtype;
  const y = numpyProduct(typed(n, b, 'mat'), typed(n, b, 'vec'), b);
  const expr = call('add', factor(arg(0), n.number('alpha', 1), t), factor(arg(1), n.number('beta', 1), t));
  return b(pointwise, [y, typed(n, b, 'self')], { expr });
};

const outer: AtenConverter = (n, b) => {
  const [x, y] = [typed(n, b, 'self'), typed(n, b, n.has('vec2') ? 'vec2' : 'other')];
  return b(pointwise, [reshaped(b, x, [...shapeOf(x), 1]), y], { expr: call('mul', arg(0), arg(1)) });
};

/** One number for all spatial axes, or one for each. */
function perAxis(n: AtenNode, name: string, axes: number, fallback: number): readonly number[] {
  const given = n.ints(name, []);
  if (given.length === 0) return Array.from({ length: axes }, () => fallback);
  return given.length === 1 ? Array.from({ length: axes }, () => given[0]!) : given;
}

interface Convolution {
  readonly x: Value;
  readonly w: Value;
  readonly axes: number;
  readonly kernel: readonly number[];
}

/** Puts an axis in front of an input that has no batch, and takes it away again. */
function batched(n: AtenNode, b: Build, convolve: (c: Convolution) => Value): Value {
  const w = typed(n, b, 'weight');
  const axes = shapeOf(w).length - 2;
  const given = typed(n, b, 'input');
  const single = shapeOf(given).length === axes + 1;
  const kernel = shapeOf(w)
    .slice(2)
    .map((d) => (typeof d === 'number' ? d : n.refuse('the extents of the kernel are not known')));
  const y = convolve({ x: single ? reshaped(b, given, [1, ...shapeOf(given)]) : given, w, axes, kernel });
  return single ? reshaped(b, y, shapeOf(y).slice(1)) : y;
}

const biased = (
  n: AtenNode,
  b: Build,
  out: readonly Dim[],
  make: (extras: readonly Value[], e: Expr | undefined) => Value,
): Value =>
  n.has('bias')
    ? withOperand(b, channelOperand(typed(n, b, 'bias'), out.length, b), sum, out, make)
    : make([], undefined);

const convolution: AtenConverter = (n, b) => {
  if (n.has('transposed') && n.flag('transposed')) return transposed(n, b);
  return batched(n, b, ({ x, w, axes, kernel }) => {
    const [strides, dilations] = [perAxis(n, 'stride', axes, 1), perAxis(n, 'dilation', axes, 1)];
    const attrs = {
      kernel,
      strides,
      dilations,
      pads: padding(n, kernel, dilations),
      groups: n.int('groups', 1),
      layout: 'NCX' as const,
    };
    const out = withSpatial(shapeOf(x)[0]!, shapeOf(w)[0]!, windowCounts(shapeOf(x).slice(2), attrs), 'NCX');
    return biased(n, b, out, (extras, epilogue) => b(conv, [x, w, ...extras], { ...attrs, epilogue }));
  });
};

/** Padding as numbers, or by its name: "same" pads what a stride of 1 loses, the odd one at the end. */
function padding(n: AtenNode, kernel: readonly number[], dilations: readonly number[]): readonly number[] {
  if (!n.target.endsWith('.padding')) {
    const pads = perAxis(n, 'padding', kernel.length, 0);
    return [...pads, ...pads];
  }
  if (n.text('padding', 'valid') === 'valid') return kernel.flatMap(() => [0, 0]);
  const totals = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const before = totals.map((t) => Math.floor(t / 2));
  return [...before, ...totals.map((t, i) => t - before[i]!)];
}

const transposed: AtenConverter = (n, b) =>
  batched(n, b, ({ x, w, axes, kernel }) => {
    const [strides, dilations] = [perAxis(n, 'stride', axes, 1), perAxis(n, 'dilation', axes, 1)];
    const [pads, extra] = [perAxis(n, 'padding', axes, 0), perAxis(n, 'output_padding', axes, 0)];
    const out = shapeOf(x)
      .slice(2)
      .map((d, i) =>
        add(mul(sub(d, 1), strides[i]!), (kernel[i]! - 1) * dilations[i]! + 1 - 2 * pads[i]! + extra[i]!),
      );
    const attrs = {
      kernel,
      strides,
      dilations,
      pads: [...pads, ...pads],
      out,
      groups: n.int('groups', 1),
      layout: 'NCX' as const,
    };
    const shape = withSpatial(shapeOf(x)[0]!, mul(shapeOf(w)[1]!, attrs.groups), out, 'NCX');
    return biased(n, b, shape, (extras, epilogue) =>
      b(convTranspose, [x, w, ...extras], { ...attrs, epilogue }),
    );
  });

/** The labels of an equation; axes of an ellipsis are -1, -2, … from the back. */
const einsumOf: AtenConverter = (n, b) => {
  const values = n.tensors('tensors').map((v) => castTo(b, v, n.result().dtype));
  const equation = n.text('equation').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  if (terms.length !== values.length)
    return n.refuse(`"${equation}" names ${terms.length} tensors, not ${values.length}`);
  const inputs = terms.map((term, i) => labels(term, shapeOf(values[i]!).length));
  const most = Math.max(0, ...inputs.flatMap((ls) => ls.filter((l) => l < 0).map((l) => -l)));
  const once = [...new Set(inputs.flat())]
    .filter((l) => l > 0 && inputs.flat().filter((x) => x === l).length === 1)
    .sort((p, q) => p - q);
  const spread = Array.from({ length: most }, (_, i) => i - most);
  const output =
    right === undefined
      ? [...spread, ...once]
      : labels(right, right.replace('...', '').length + (right.includes('...') ? most : 0));
  return b(einsum, values, { inputs, output });
};

function labels(term: string, rank: number): readonly number[] {
  const dots = term.indexOf('...');
  const codes = (s: string): readonly number[] => [...s].map((c) => c.charCodeAt(0));
  if (dots < 0) return codes(term);
  const [before, after] = [codes(term.slice(0, dots)), codes(term.slice(dots + 3))];
  const count = rank - before.length - after.length;
  return [...before, ...Array.from({ length: count }, (_, i) => i - count), ...after];
}

/** Sums over pairs of axes, as one product of matrices. */
const tensordot: AtenConverter = (n, b) => {
  const [x, y] = [typed(n, b, 'self'), typed(n, b, 'other')];
  const sums = [n.ints('dims_self'), n.ints('dims_other')];
  const sides = [x, y].map((v, i) => {
    const rank = shapeOf(v).length;
    const over = sums[i]!.map((d) => (d < 0 ? d + rank : d));
    const kept = shapeOf(v).flatMap((_, d) => (over.includes(d) ? [] : [d]));
    const at = (axes: readonly number[]): readonly Dim[] => axes.map((d) => shapeOf(v)[d]!);
    const turned = permuted(b, v, i === 0 ? [...kept, ...over] : [...over, ...kept]);
    const [free, summed] = [numel(at(kept)), numel(at(over))];
    return { matrix: reshaped(b, turned, i === 0 ? [free, summed] : [summed, free]), kept: at(kept) };
  });
  const [left, right] = [sides[0]!, sides[1]!];
  return reshaped(b, b(matmul, [left.matrix, right.matrix], plain), [...left.kept, ...right.kept]);
};

export const contraction: AtenMap = {
  linear,
  matmul: product('other'),
  mm: product('mat2'),
  bmm: product('mat2'),
  mv: product('vec'),
  dot: product('tensor'),
  vdot: product('other'),
  inner: (n, b) =>
    shapeOf(n.tensor('self')).length === 1 && shapeOf(n.tensor('other')).length === 1
      ? product('other')(n, b)
      : b(matmul, [typed(n, b, 'self'), typed(n, b, 'other')], { transA: false, transB: true }),
  outer,
  ger: outer,
  addmm: added('self', 'mat1', 'mat2'),
  baddbmm: added('self', 'batch1', 'batch2'),
  addmv,
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
  'conv1d.padding': convolution,
  'conv2d.padding': convolution,
  'conv3d.padding': convolution,
  convolution,
  _convolution: convolution,
  conv_transpose1d: transposed,
  'conv_transpose2d.input': transposed,
  'conv_transpose3d.input': transposed,
  einsum: einsumOf,
  tensordot,
};
