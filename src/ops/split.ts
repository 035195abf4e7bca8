import { add, ceildiv, type Dim, floordiv, max, min, mul, type Shape, sub } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { CompileError } from '../support/diagnostic.js';
import { axisOf, type Build, type Converter, type SourceNode } from './op.js';
import { slicedAxis } from './slice.js';

/** Split: one slice for each result. */
export const split: Readonly<Record<number, Converter>> = {
  1: (n, b) => parts(n, b, given(n) ?? (n.has('split') ? n.ints('split') : equal(n))),
  13: (n, b) => parts(n, b, given(n) ?? equal(n)),
  18: (n, b) => parts(n, b, given(n) ?? chunks(n)),
};

const axis = (n: SourceNode): number => axisOf(n.int('axis', 0), shapeOf(n.input(0)).length);
const extent = (n: SourceNode): Dim => shapeOf(n.input(0))[axis(n)]!;

function given(n: SourceNode): Shape | undefined {
  const sizes = n.optional(1);
  return sizes && n.dims(sizes);
}

function equal(n: SourceNode): Shape {
  const all = extent(n);
  if (typeof all === 'number' && all % n.outputCount !== 0)
    throw new CompileError('bad-split', `${all} elements do not split into ${n.outputCount} equal parts`);
  return Array.from({ length: n.outputCount }, () => floordiv(all, n.outputCount));
}

/** Equal parts rounded up; the last ones get what is left. */
function chunks(n: SourceNode): Shape {
  const count = n.int('num_outputs', n.outputCount);
  const size = ceildiv(extent(n), count);
  return Array.from({ length: count }, (_, i) => max(min(size, sub(extent(n), mul(i, size))), 0));
}

function parts(n: SourceNode, b: Build, sizes: Shape): readonly Value[] {
  if (sizes.length < n.outputCount)
    throw new CompileError('bad-split', `${sizes.length} sizes are given for ${n.outputCount} results`);
  const total = add(...sizes);
  const all = extent(n);
  if (typeof total === 'number' && typeof all === 'number' && total !== all)
    throw new CompileError('bad-split', `the parts have ${total} elements together, the axis ${all}`);
  let start: Dim = 0;
  return sizes.slice(0, n.outputCount).map((size) => {
    const part = slicedAxis(b, n.input(0), axis(n), start, size);
    start = add(start, size);
    return part;
  });
}
