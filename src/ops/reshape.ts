import { bounds, type Dim, eq, floordiv, numel, type Shape, same, select, show } from '../ir/dim.js';
import { shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { content, contentShape } from './content.js';
import { type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import { sameElements } from './requirements.js';
import { squeezedShape, unsqueezedShape } from './runtime-axes.js';

/** The same elements in the same order under another shape. */
export const reshape: OpDef<{ shape: Shape }> = defineOp({
  name: 'reshape',

  infer: ([x], { shape }) => {
    const from = numel(x!.shape);
    const to = numel(shape);
    if (typeof from === 'number' && typeof to === 'number' && !same(from, to))
      throw new CompileError(
        'bad-reshape',
        `cannot reshape ${show(from)} elements into [${shape.map(show).join(',')}]`,
      );
    return tensor(x!.dtype, shape);
  },

  requires: ([x], { shape }) => sameElements(x!.shape, shape),

  evaluate: ([x], { shape }) => {
    const known = contentShape(shape);
    return x && known && content(x.dtype, known, x.data);
  },

  onnx: {
    Reshape: {
      1: (n, b) => b(reshape, [n.input(0)], { shape: resolveShape(n, n.ints('shape'), false) }),
      5: (n, b) =>
        b(reshape, [n.input(0)], { shape: resolveShape(n, n.dims(n.input(1)), n.int('allowzero', 0) === 1) }),
    },
    Flatten: { 1: flatten(0), 11: flatten(-1) },
    Squeeze: {
      1: (n, b) => squeeze(n, b, n.has('axes') ? n.ints('axes') : undefined),
      13: (n, b) => {
        const axes = n.optional(1);
        const known = axes && n.numbers(axes);
        return axes && !known
          ? b(reshape, [n.input(0)], { shape: squeezedShape(shapeOf(n.input(0)), n.dims(axes)) })
          : squeeze(n, b, known);
      },
    },
    Unsqueeze: {
      1: (n, b) => unsqueeze(n, b, n.ints('axes')),
      13: (n, b) => {
        const axes = n.input(1);
        const known = n.numbers(axes);
        return known
          ? unsqueeze(n, b, known)
          : b(reshape, [n.input(0)], { shape: unsqueezedShape(shapeOf(n.input(0)), n.dims(axes)) });
      },
    },
  },

  toOnnx: ({ attrs, inputs: [v] }, [x], e) => {
    const plain = plainShape(shapeOf(v!), attrs.shape);
    return plain
      ? e.one('Reshape', [x, e.constant('i64', [plain.length], plain)])
      : e.one('Reshape', [x, e.dims(attrs.shape)], { allowzero: { kind: 'int', value: 1 } });
  },
});

/** The shape in numbers where ONNX can tell the rest: 0 is the extent of the input, one -1 what is left. */
function plainShape(from: Shape, to: Shape): readonly number[] | undefined {
  if (to.some((d) => d === 0)) return undefined;
  const named = to.map((d, i) => {
    if (typeof d === 'number') return d;
    return from[i] !== undefined && same(d, from[i]) ? 0 : -1;
  });
  const rest = named.filter((d) => d === -1).length;
  if (rest > 1) return undefined;
  // What is left of no elements cannot be told.
  const copied = to.filter((d, i) => named[i] === 0 && bounds(d)[0] < 1);
  return rest === 1 && copied.length > 0 ? undefined : named;
}

/** ONNX Reshape: 0 copies the input's extent (unless allowzero), -1 takes what is left. */
function resolveShape(n: SourceNode, asked: Shape, allowZero: boolean): Shape {
  const from = shapeOf(n.input(0));
  // A dim that cannot be negative stems from extents: where it is 0 there are no elements to arrange.
  const isExtent = (d: Dim): boolean => typeof d !== 'number' && bounds(d)[0] >= 0;
  const copied = asked.map((d, i) =>
    allowZero || i >= from.length || isExtent(d) ? d : select(eq(d, 0), from[i]!, d),
  );
  const unknown = copied.map((d) => eq(d, -1));
  const rest = numel(copied.map((d, i) => select(unknown[i]!, 1, d)));
  if (unknown.every((u) => u === 0)) return copied;
  return copied.map((d, i) => select(unknown[i]!, floordiv(numel(from), rest), d));
}

function flatten(lowest: number): (n: SourceNode, b: Build) => ReturnType<Build> {
  return (n, b) => {
    const x = n.input(0);
    const shape = shapeOf(x);
    const axis = n.int('axis', 1);
    if (axis < lowest * shape.length || axis > shape.length)
      throw new CompileError('bad-axis', `axis ${axis} is outside a tensor of rank ${shape.length}`);
    const at = axis < 0 ? axis + shape.length : axis;
    return b(reshape, [x], { shape: [numel(shape.slice(0, at)), numel(shape.slice(at))] });
  };
}

function squeeze(n: SourceNode, b: Build, axes: readonly number[] | undefined): ReturnType<Build> {
  const x = n.input(0);
  const shape = shapeOf(x);
  const drop = axes?.map((a) => (a < 0 ? a + shape.length : a));
  for (const a of drop ?? [])
    if (a < 0 || a >= shape.length || (typeof shape[a] === 'number' && shape[a] !== 1))
      throw new CompileError(
        'bad-axis',
        `axis ${a} of [${shape.map(show).join(',')}] cannot be squeezed away`,
      );
  if (!drop && shape.some((d) => typeof d !== 'number'))
    n.decline('which axes are 1 is not known before the model runs');
  return b(reshape, [x], { shape: shape.filter((d, i) => (drop ? !drop.includes(i) : d !== 1)) });
}

function unsqueeze(n: SourceNode, b: Build, axes: readonly number[]): ReturnType<Build> {
  const x = n.input(0);
  const shape = [...shapeOf(x)];
  const rank = shape.length + axes.length;
  const at = axes.map((a) => (a < 0 ? a + rank : a));
  if (new Set(at).size !== at.length || at.some((a) => a < 0 || a >= rank))
    throw new CompileError('bad-axis', `axes [${axes.join(',')}] do not name distinct axes of rank ${rank}`);
  for (const a of at.sort((p, q) => p - q)) shape.splice(a, 0, 1);
  return b(reshape, [x], { shape });
}
