import { numel } from '../ir/dim.js';
import { arg, call, cast, constant as konst } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { literalOf } from '../ir/literal.js';
import { isFloat } from '../ir/type.js';
import { constant } from './constant.js';
import { gather } from './gather.js';
import type { Build, Converter, SourceNode } from './op.js';
import { like, pointwise } from './pointwise.js';
import { reshape } from './reshape.js';

/** ArrayFeatureExtractor: columns by their numbers; a vector becomes a matrix of one row. */
export function extractFeatures(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const [x, given] = [n.input(0), n.input(1)];
  const shape = shapeOf(x);
  const indices = b(reshape, [given], { shape: [numel(shapeOf(given))] });
  const taken = b(gather, [x, indices], { axis: shape.length - 1 });
  return shape.length === 1 ? b(reshape, [taken], { shape: [1, ...shapeOf(taken)] }) : taken;
}

/** Binarizer: 1 above the threshold, else 0. */
export function binarize(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const x = n.input(0);
  if (!isFloat(dtypeOf(x))) n.decline(`Binarizer of ${dtypeOf(x)}`);
  const above = call('gt', arg(0), konst(Math.fround(n.float('threshold', 0)), dtypeOf(x)));
  return b(pointwise, [x], { expr: call('select', above, like(x, 1), like(x, 0)) });
}

/** Scaler: (x - offset) * scale, by column. */
export function scale(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const x = n.input(0);
  const expr = call('mul', call('sub', asFloat(x), arg(1)), arg(2));
  return b(pointwise, [x, column(n, b, 'offset', 0), column(n, b, 'scale', 1)], { expr });
}

const asFloat = (x: Value) => (dtypeOf(x) === 'f32' ? arg(0) : cast('f32', arg(0)));

function column(n: SourceNode, b: Build, attr: string, fallback: number): Value {
  const values = n.floats(attr, [fallback]);
  return b(constant, [], { value: literalOf('f32', [values.length], values) });
}
