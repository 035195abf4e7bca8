import { add, type Dim, eq, mul, type Shape, same, select } from '../ir/dim.js';
import { is, type Node, shapeOf } from '../ir/graph.js';
import { expand } from './expand.js';
import { slice } from './slice.js';
import { denseStrides } from './strides.js';
import { transpose } from './transpose.js';

/** Element i of a result is element offset + sum of i[d] * strides[d] of the node's first input. */
export interface StridedView {
  readonly offset: Dim;
  readonly strides: Shape;
}

/** The view a node takes of its input when it does nothing but rearrange: what other kernels may absorb. */
export function stridedView(node: Node): StridedView | undefined {
  const [x] = node.inputs;
  if (!x) return undefined;
  if (is(node, transpose)) {
    const own = denseStrides(shapeOf(x));
    return { offset: 0, strides: node.attrs.perm.map((p) => own[p]!) };
  }
  if (is(node, slice)) {
    const { starts, steps } = node.attrs;
    const own = denseStrides(shapeOf(x));
    return {
      offset: add(...starts.map((s, d) => mul(s, own[d]!))),
      strides: own.map((s, d) => mul(s, steps[d]!)),
    };
  }
  if (is(node, expand)) {
    const from = shapeOf(x);
    const own = denseStrides(from);
    const { shape } = node.attrs;
    const strides = shape.map((n, d): Dim => {
      const at = d - (shape.length - from.length);
      const extent = from[at] ?? 1;
      if (extent === 1) return 0;
      // Whether an extent that a symbol names repeats is decided at run time.
      return same(extent, n) ? own[at]! : select(eq(extent, 1), 0, own[at]!);
    });
    return { offset: 0, strides };
  }
  return undefined;
}
