import { type Dim, max, min, mul } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { scalarLiteral } from '../ir/literal.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { constant } from './constant.js';
import { float, int, text } from './onnx-emitter.js';
import { type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { sampledToOnnx } from './sampling.js';
import { slicedAxis } from './slice.js';

/**
 * The boxes to keep, best first, `limit` at most for each class. Inputs: boxes, scores, the largest overlap
 * allowed, and optionally the score a box must exceed. Results: how many rows there are, then the rows
 * (batch, class, box), padded to as many as there can be.
 */
export const nonMaxSuppression: OpDef<{ limit: Dim; centre: boolean; scored: boolean }> = defineOp({
  name: 'non_max_suppression',
  infer: ([boxes, scores], { limit }) => {
    if (boxes!.shape.length !== 3 || scores!.shape.length !== 3 || boxes!.dtype !== 'f32')
      throw new CompileError('bad-boxes', 'boxes and scores must be float32 of rank 3');
    const rows = mul(scores!.shape[0]!, scores!.shape[1]!, limit);
    return [tensor('i64', [1]), tensor('i64', [rows, 3])];
  },
  onnx: { NonMaxSuppression: { 10: suppress } },
  toOnnx: ({ attrs: a, outputs }, [boxes, scores, overlap, score], e) => {
    const rows = e.one('NonMaxSuppression', [boxes, scores, e.dims([a.limit]), overlap, score], {
      center_point_box: int(a.centre),
    });
    const count = e.one('Slice', [e.one('Shape', [rows]), ...[0, 1].map((i) => e.constant('i64', [1], [i]))]);
    const missing = e.one('Sub', [e.dims([shapeOf(outputs[1]!)[0]!]), count]);
    const [before, beside] = [e.constant('i64', [2], [0, 0]), e.constant('i64', [1], [0])];
    const pads = e.one('Concat', [before, missing, beside], { axis: int(0) });
    return [count, e.one('Pad', [rows, pads])];
  },
});

function suppress(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const [boxes, scores, most] = [n.input(0), n.input(1), n.optional(2)];
  const n0 = shapeOf(boxes)[1]!;
  const limit = most ? max(min(n.dims(most)[0]!, n0), 0) : 0;
  const overlap = n.optional(3) ?? zero(b);
  const score = n.optional(4);
  const [count, rows] = b.all(nonMaxSuppression, [boxes, scores, overlap, ...(score ? [score] : [])], {
    limit,
    centre: n.int('center_point_box', 0) === 1,
    scored: score !== undefined,
  });
  return slicedAxis(b, rows!, 0, 0, n.bind(count!, 0, 'kept', shapeOf(rows!)[0]!));
}

const zero = (b: Build): Value => b(constant, [], { value: scalarLiteral('f32', 0) });

/** Averages or maxima of samples inside the bins of regions. Inputs: images, regions, the image of each. */
export const roiAlign: OpDef<{
  height: number;
  width: number;
  samples: number;
  scale: number;
  halfPixel: boolean;
  average: boolean;
}> = defineOp({
  name: 'roi_align',
  infer: ([x, rois], { height, width }) => {
    if (x!.shape.length !== 4 || rois!.shape.length !== 2)
      throw new CompileError('bad-regions', 'RoiAlign takes images of rank 4 and regions of rank 2');
    return tensor(x!.dtype, [rois!.shape[0]!, x!.shape[1]!, height, width]);
  },
  onnx: { RoiAlign: { 10: align('output_half_pixel'), 16: align('half_pixel') } },
  toOnnx: (node, inputs, e) => {
    const a = node.attrs;
    return sampledToOnnx('RoiAlign', node, inputs, e, {
      output_height: int(a.height),
      output_width: int(a.width),
      sampling_ratio: int(a.samples),
      spatial_scale: float(a.scale),
      mode: text(a.average ? 'avg' : 'max'),
      coordinate_transformation_mode: text(a.halfPixel ? 'half_pixel' : 'output_half_pixel'),
    });
  },
});

function align(coordinates: string): Converter {
  return (n, b) =>
    b(roiAlign, [n.input(0), n.input(1), n.input(2)], {
      height: n.int('output_height', 1),
      width: n.int('output_width', 1),
      samples: n.int('sampling_ratio', 0),
      scale: n.float('spatial_scale', 1),
      halfPixel: n.string('coordinate_transformation_mode', coordinates) === 'half_pixel',
      average: average(n),
    });
}

function average(n: SourceNode): boolean {
  const mode = n.string('mode', 'avg');
  if (mode !== 'avg' && mode !== 'max') n.decline(`RoiAlign has no mode "${mode}"`);
  return mode === 'avg';
}

/** The largest element of each bin of regions (image, x1, y1, x2, y2). */
export const maxRoiPool: OpDef<{ height: number; width: number; scale: number }> = defineOp({
  name: 'max_roi_pool',
  infer: ([x, rois], { height, width }) => {
    if (x!.shape.length !== 4 || rois!.shape.length !== 2)
      throw new CompileError('bad-regions', 'MaxRoiPool takes images of rank 4 and regions of rank 2');
    return tensor(x!.dtype, [rois!.shape[0]!, x!.shape[1]!, height, width]);
  },
  onnx: {
    MaxRoiPool: {
      1: (n, b) => {
        const [height, width] = n.ints('pooled_shape') as readonly [number, number];
        return b(maxRoiPool, [n.input(0), n.input(1)], { height, width, scale: n.float('spatial_scale', 1) });
      },
    },
  },
  toOnnx: (node, inputs, e) =>
    sampledToOnnx('MaxRoiPool', node, inputs, e, {
      pooled_shape: { kind: 'ints', value: [node.attrs.height, node.attrs.width] },
      spatial_scale: float(node.attrs.scale),
    }),
});
