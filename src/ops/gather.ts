import { type Dim, isStatic, numel, type Shape } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { type Content, pick, stridesOf } from './content.js';
import { binarize, extractFeatures, scale } from './ml-features.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { reshape } from './reshape.js';
import { slicedAxis } from './slice.js';

export function requireIndices(t: TensorType): void {
  if (t.dtype !== 'i64' && t.dtype !== 'i32')
    throw new CompileError('type-mismatch', `indices are ${t.dtype}, not int32 or int64`);
}

/** Takes whole slices along an axis, by indices that may count from the end. */
export const gather: OpDef<{ axis: number }> = defineOp({
  name: 'gather',

  infer: ([x, indices], { axis }) => {
    requireIndices(indices!);
    axisOf(axis, x!.shape.length);
    return tensor(x!.dtype, [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)]);
  },

  evaluate: ([x, indices], { axis }, [type]) => {
    if (!x || !indices || !isStatic(indices.data) || !isStatic(type!.shape)) return undefined;
    const at = indicesWithin(indices.data, x.shape[axis]!);
    const strides = stridesOf(x.shape);
    const inner = stridesOf(indices.shape);
    const rank = indices.shape.length;
    return pick(x, type!.shape, (index) => {
      const row = at[inner.reduce((sum, s, d) => sum + s * index[axis + d]!, 0)]!;
      const own = [...index.slice(0, axis), row, ...index.slice(axis + rank)];
      return own.reduce((sum, i, d) => sum + i * strides[d]!, 0);
    });
  },

  onnx: {
    Gather: { 1: convert },
    'ai.onnx.ml::ArrayFeatureExtractor': { 1: extractFeatures },
    'ai.onnx.ml::Binarizer': { 1: binarize },
    'ai.onnx.ml::Scaler': { 1: scale },
  },

  toOnnx: ({ attrs }, inputs, e) => e.one('Gather', inputs, { axis: int(attrs.axis) }),
});

function indicesWithin(indices: readonly number[], n: number): readonly number[] {
  return indices.map((i) => {
    if (i < -n || i >= n) throw new CompileError('bad-index', `index ${i} is outside ${n} elements`);
    return i < 0 ? i + n : i;
  });
}

function convert(n: SourceNode, b: Build): ReturnType<Converter> {
  const [x, indices] = [n.input(0), n.input(1)];
  const shape = shapeOf(x);
  const axis = axisOf(n.int('axis', 0), shape.length);
  const one = numel(shapeOf(indices)) === 1 && knownIndex(n.content(indices), shape[axis]!);
  if (typeof one === 'number') return at(b, x, axis, one, shapeOf(indices));
  return b(gather, [x, indices], { axis });
}

const knownIndex = (indices: Content | undefined, n: Dim): number | undefined =>
  indices && isStatic(indices.data) && typeof n === 'number' ? indicesWithin(indices.data, n)[0] : undefined;

/** A known place is a slice, which needs no indices at run time. */
function at(b: Build, x: Value, axis: number, index: number, indices: Shape): Value {
  const shape = shapeOf(x);
  const part = slicedAxis(b, x, axis, index, 1);
  return b(reshape, [part], { shape: [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)] });
}

/** Takes single elements: result[i][j] is x[index[i][j]][j] for axis 0. */
export const gatherElements: OpDef<{ axis: number }> = defineOp({
  name: 'gather_elements',
  infer: ([x, indices], { axis }) => {
    requireIndices(indices!);
    axisOf(axis, x!.shape.length);
    if (indices!.shape.length !== x!.shape.length)
      throw new CompileError('bad-index', 'the indices have another rank than the tensor');
    return tensor(x!.dtype, indices!.shape);
  },
  onnx: {
    GatherElements: {
      11: (n, b) =>
        b(gatherElements, [n.input(0), n.input(1)], {
          axis: axisOf(n.int('axis', 0), shapeOf(n.input(0)).length),
        }),
    },
  },
  toOnnx: ({ attrs }, inputs, e) => e.one('GatherElements', inputs, { axis: int(attrs.axis) }),
});

/** Takes the slices that the last axis of the indices points to, after `batch` axes both have in common. */
export const gatherNd: OpDef<{ batch: number }> = defineOp({
  name: 'gather_nd',
  infer: ([x, indices], { batch }) => {
    requireIndices(indices!);
    const depth = indices!.shape.at(-1);
    if (
      typeof depth !== 'number' ||
      batch < 0 ||
      batch >= indices!.shape.length ||
      batch + depth > x!.shape.length
    )
      throw new CompileError('bad-index', 'the indices do not fit the tensor');
    return tensor(x!.dtype, [...indices!.shape.slice(0, -1), ...x!.shape.slice(batch + depth)]);
  },
  onnx: {
    GatherND: {
      11: (n, b) => {
        if (typeof shapeOf(n.input(1)).at(-1) !== 'number')
          n.decline('the number of coordinates in an index is not known before the model runs');
        return b(gatherNd, [n.input(0), n.input(1)], { batch: n.int('batch_dims', 0) });
      },
    },
  },
  toOnnx: ({ attrs }, inputs, e) => e.one('GatherND', inputs, { batch_dims: int(attrs.batch) }),
});
