import { shapeOf } from '../ir/graph.js';
import type { TensorType } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { requireIndices } from './gather.js';
import { int, text } from './onnx-emitter.js';
import { axisOf, type Converter, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';

export type Reduction = 'none' | 'add' | 'mul' | 'max' | 'min';

function check([x, indices, updates]: readonly TensorType[]): TensorType {
  requireIndices(indices!);
  sameDtype('scatter', [x!, updates!]);
  return x!;
}

function reductionOf(n: SourceNode): Reduction {
  const reduction = n.string('reduction', 'none');
  switch (reduction) {
    case 'none':
    case 'add':
    case 'mul':
    case 'max':
    case 'min':
      return reduction;
    default:
      return n.decline(`there is no reduction "${reduction}"`);
  }
}

/** A copy in which single elements are replaced or combined: result[index[i][j]][j] by update[i][j] for axis 0. */
export const scatterElements: OpDef<{ axis: number; reduction: Reduction }> = defineOp({
  name: 'scatter_elements',
  infer: (inputs, { axis }) => {
    const [x, indices, updates] = inputs;
    axisOf(axis, x!.shape.length);
    if (indices!.shape.length !== x!.shape.length || updates!.shape.length !== x!.shape.length)
      throw new CompileError('bad-index', 'indices and updates have another rank than the tensor');
    return check(inputs);
  },
  onnx: { Scatter: { 9: elements }, ScatterElements: { 11: elements } },
  toOnnx: ({ attrs }, inputs, e) =>
    e.one('ScatterElements', inputs, { axis: int(attrs.axis), reduction: text(attrs.reduction) }),
});

function elements(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const x = n.input(0);
  const axis = axisOf(n.int('axis', 0), shapeOf(x).length);
  return b(scatterElements, [x, n.input(1), n.input(2)], { axis, reduction: reductionOf(n) });
}

/** A copy in which the slices that the last axis of the indices points to are replaced or combined. */
export const scatterNd: OpDef<{ reduction: Reduction }> = defineOp({
  name: 'scatter_nd',
  infer: (inputs) => {
    const [x, indices] = inputs;
    const depth = indices!.shape.at(-1);
    if (typeof depth !== 'number' || depth > x!.shape.length)
      throw new CompileError('bad-index', 'the indices do not fit the tensor');
    return check(inputs);
  },
  onnx: {
    ScatterND: {
      11: (n, b) => {
        if (typeof shapeOf(n.input(1)).at(-1) !== 'number')
          n.decline('the number of coordinates in an index is not known before the model runs');
        return b(scatterNd, [n.input(0), n.input(1), n.input(2)], { reduction: reductionOf(n) });
      },
    },
  },
  toOnnx: ({ attrs }, inputs, e) => e.one('ScatterND', inputs, { reduction: text(attrs.reduction) }),
});
