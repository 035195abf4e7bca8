import { max, type Shape, sub } from '../ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../ir/graph.js';
import { type DType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { dtype, int, ints, type OnnxAttrs, type OnnxEmitter, text } from './onnx-emitter.js';
import { type Converter, defineOp, type OpDef } from './op.js';

export type SamplingMode = 'nearest' | 'linear' | 'cubic';
export type OutsideMode = 'zeros' | 'border' | 'reflection';

/** Elements of images or volumes at the places a grid names. Inputs: [N, C, …], grid [N, …, axes]. */
export const gridSample: OpDef<{ mode: SamplingMode; outside: OutsideMode; alignCorners: boolean }> =
  defineOp({
    name: 'grid_sample',
    infer: ([x, grid]) => {
      const axes = x!.shape.length - 2;
      if (axes < 1 || grid!.shape.length !== x!.shape.length || grid!.shape.at(-1) !== axes)
        throw new CompileError('bad-grid', 'the grid does not fit the tensor');
      return tensor(x!.dtype, [...x!.shape.slice(0, 2), ...grid!.shape.slice(1, -1)]);
    },
    onnx: { GridSample: { 16: sample } },
    toOnnx: (node, inputs, e) =>
      sampledToOnnx('GridSample', node, inputs, e, {
        mode: text(node.attrs.mode),
        padding_mode: text(node.attrs.outside),
        align_corners: int(node.attrs.alignCorners),
      }),
  });

/** Images of 16 bits may be looked at in places of 32; onnxruntime has both of one type. */
export function sampledToOnnx(
  opType: string,
  node: Pick<Node, 'inputs'>,
  inputs: readonly string[],
  e: OnnxEmitter,
  attrs: OnnxAttrs,
): string {
  const [image, places] = node.inputs.map(dtypeOf) as [DType, DType];
  if (image === places) return e.one(opType, inputs, attrs);
  const wide = e.one('Cast', [inputs[0]], { to: dtype(places) });
  return e.one('Cast', [e.one(opType, [wide, ...inputs.slice(1)], attrs)], { to: dtype(image) });
}

const modes: Readonly<Record<string, SamplingMode>> = {
  nearest: 'nearest',
  linear: 'linear',
  cubic: 'cubic',
  bilinear: 'linear',
  bicubic: 'cubic',
};

function sample(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const mode = modes[n.string('mode', 'linear')];
  const outside = n.string('padding_mode', 'zeros');
  if (mode === undefined) n.decline(`GridSample has no mode "${n.string('mode')}"`);
  if (outside !== 'zeros' && outside !== 'border' && outside !== 'reflection')
    n.decline(`GridSample has no padding mode "${outside}"`);
  const alignCorners = n.int('align_corners', 0) !== 0;
  return b(gridSample, [n.input(0), n.input(1)], { mode, outside, alignCorners });
}

/** Where an affine map takes every place of a volume of this size. Input: theta [N, axes, axes + 1]. */
export const affineGrid: OpDef<{ size: Shape; alignCorners: boolean }> = defineOp({
  name: 'affine_grid',
  infer: ([theta], { size }) => {
    if (theta!.shape.length !== 3 || (size.length !== 2 && size.length !== 3))
      throw new CompileError('bad-grid', 'the affine map does not fit the size');
    return tensor(theta!.dtype, [theta!.shape[0]!, ...size, size.length]);
  },
  onnx: {
    AffineGrid: {
      20: (n, b) => {
        const alignCorners = n.int('align_corners', 0) !== 0;
        return b(affineGrid, [n.input(0)], { size: n.dims(n.input(1)).slice(2), alignCorners });
      },
    },
  },
  toOnnx: ({ inputs, attrs: a }, [theta], e) => {
    const batch = shapeOf(inputs[0]!)[0]!;
    if (e.opset < 20) return gridOfAxes(theta!, dtypeOf(inputs[0]!), [batch, ...a.size], a.alignCorners, e);
    return e.one('AffineGrid', [theta, e.dims([batch, 1, ...a.size])], {
      align_corners: int(a.alignCorners),
    });
  },
});

/** The map applied to the places themselves: before opset 20 there is no operator for it. */
function gridOfAxes(
  theta: string,
  t: DType,
  [batch, ...size]: Shape,
  align: boolean,
  e: OnnxEmitter,
): string {
  const k = (x: number): string => e.constant(t, [], [x]);
  const cast = (name: string): string => e.one('Cast', [name], { to: dtype(t) });
  const places = (d: number): string => {
    const n = size[d]!;
    const i = cast(e.one('Range', [e.dim(0), e.dim(n), e.dim(1)]));
    const twice = e.one('Mul', [i, k(2)]);
    const over = align ? max(sub(n, 1), 1) : n;
    const fromMiddle = e.one('Sub', [twice, cast(e.dim(sub(n, 1)))]);
    const line = e.one('Div', [fromMiddle, cast(e.dim(over))]);
    const alone = size.map((_, i) => (i === d ? -1 : 1));
    const column = e.one('Reshape', [line, e.constant('i64', [size.length], alone)]);
    return e.one('Unsqueeze', [
      e.one('Expand', [column, e.dims(size)]),
      e.constant('i64', [1], [size.length]),
    ]);
  };
  // The last axis of the images is the first coordinate.
  const coordinates = size.map((_, d) => places(size.length - 1 - d));
  const ones = e.one('Expand', [k(1), e.dims([...size, 1])]);
  const base = e.one('Concat', [...coordinates, ones], { axis: int(-1) });
  const rows = e.one('Reshape', [base, e.constant('i64', [2], [-1, size.length + 1])]);
  const turned = e.one('Transpose', [theta], { perm: ints([0, 2, 1]) });
  return e.one('Reshape', [e.one('MatMul', [rows, turned]), e.dims([batch!, ...size, size.length])]);
}
