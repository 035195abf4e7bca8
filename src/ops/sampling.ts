import type { Shape } from '../ir/dim.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { int, text } from './onnx-emitter.js';
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
    toOnnx: ({ attrs: a }, inputs, e) =>
      e.one('GridSample', inputs, {
        mode: text(a.mode),
        padding_mode: text(a.outside),
        align_corners: int(a.alignCorners),
      }),
  });

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
  const alignCorners = n.int('align_corners', 0) === 1;
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
        const alignCorners = n.int('align_corners', 0) === 1;
        return b(affineGrid, [n.input(0)], { size: n.dims(n.input(1)).slice(2), alignCorners });
      },
    },
  },
  toOnnx: ({ inputs, attrs: a }, [theta], e) => {
    const batch = inputs[0]!.type.kind === 'tensor' ? inputs[0]!.type.shape[0]! : 1;
    return e.one('AffineGrid', [theta, e.dims([batch, 1, ...a.size])], {
      align_corners: int(a.alignCorners),
    });
  },
});
