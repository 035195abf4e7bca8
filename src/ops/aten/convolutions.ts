import { add, type Dim, mul, sub } from '../../ir/dim.js';
import type { Expr } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { isFloat } from '../../ir/type.js';
import { channelOperand, conv } from '../conv.js';
import { convTranspose } from '../conv-transpose.js';
import { withOperand } from '../epilogue.js';
import type { Build } from '../op.js';
import { windowCounts, withSpatial } from '../window.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { byProducts, spreadOut } from './convolution-products.js';
import { sum, typed } from './products.js';
import { reshaped } from './shapes.js';
import { perAxis } from './spatial.js';

interface Convolution {
  readonly x: Value;
  readonly w: Value;
  readonly axes: number;
  readonly kernel: readonly number[];
}

/** Puts an axis in front of an input that has no batch, and takes it away again. */
function convolved(n: AtenNode, b: Build, convolve: (c: Convolution) => Value): Value {
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

const spread = (n: AtenNode, name: string, axes: number, fallback: number): readonly number[] =>
  perAxis(
    n,
    name,
    axes,
    Array.from({ length: axes }, () => fallback),
  );

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
  return convolved(n, b, ({ x, w, axes, kernel }) => {
    const [strides, dilations] = [spread(n, 'stride', axes, 1), spread(n, 'dilation', axes, 1)];
    const attrs = {
      kernel,
      strides,
      dilations,
      pads: padding(n, kernel, dilations),
      groups: n.int('groups', 1),
      layout: 'NCX' as const,
    };
    if (!isFloat(dtypeOf(x)) || dtypeOf(x) === 'f64') return byProducts(n, b, x, w, attrs);
    const out = withSpatial(shapeOf(x)[0]!, shapeOf(w)[0]!, windowCounts(shapeOf(x).slice(2), attrs), 'NCX');
    return biased(n, b, out, (extras, epilogue) => b(conv, [x, w, ...extras], { ...attrs, epilogue }));
  });
};

/** Padding as numbers, or by its name: "same" pads what a stride of 1 loses, the odd one at the end. */
function padding(n: AtenNode, kernel: readonly number[], dilations: readonly number[]): readonly number[] {
  if (!n.target.endsWith('.padding')) {
    const pads = spread(n, 'padding', kernel.length, 0);
    return [...pads, ...pads];
  }
  if (n.text('padding', 'valid') === 'valid') return kernel.flatMap(() => [0, 0]);
  const totals = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const before = totals.map((t) => Math.floor(t / 2));
  return [...before, ...totals.map((t, i) => t - before[i]!)];
}

const transposed: AtenConverter = (n, b) =>
  convolved(n, b, ({ x, w, axes, kernel }) => {
    const [strides, dilations] = [spread(n, 'stride', axes, 1), spread(n, 'dilation', axes, 1)];
    const [pads, extra] = [spread(n, 'padding', axes, 0), spread(n, 'output_padding', axes, 0)];
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
    if (!isFloat(dtypeOf(x)) || dtypeOf(x) === 'f64') return spreadOut(n, b, x, w, attrs, extra);
    const shape = withSpatial(shapeOf(x)[0]!, mul(shapeOf(w)[1]!, attrs.groups), out, 'NCX');
    return biased(n, b, shape, (extras, epilogue) =>
      b(convTranspose, [x, w, ...extras], { ...attrs, epilogue }),
    );
  });

export const convolutions: AtenMap = {
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
};
