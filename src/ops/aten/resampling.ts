import type * as D from '../../ir/dim.js';
import { arg, call, cast } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { dims } from '../constant.js';
import type { Build } from '../op.js';
import { pad } from '../pad.js';
import { pointwise } from '../pointwise.js';
import { type Coordinates, type NearestMode, resize, type Scale, scaled } from '../resize.js';
import { gridSample } from '../sampling.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { eachOf } from './formulas.js';
import { numberOf } from './operands.js';

interface Sampling {
  readonly mode: 'nearest' | 'linear' | 'cubic';
  readonly coordinates: Coordinates;
  readonly nearest: NearestMode;
  readonly antialias?: boolean;
}

const upsampled =
  (sampling: (n: AtenNode) => Sampling): AtenConverter =>
  (n, b) => {
    const x = n.tensor(n.has('self') ? 'self' : 'input');
    const shape = shapeOf(x);
    const axes = shape.map((_, i) => i).slice(2);
    const from = shape.slice(2);
    const factors = factorsOf(n, axes.length);
    const out = n.has('output_size')
      ? n.dims('output_size')
      : from.map(
          (d, i) =>
            scaled(d, factors?.[i] ?? 1) ??
            n.refuse('the scale of an extent that is not known is no simple fraction'),
        );
    const how = sampling(n);
    // Given factors count, not the ratio of the extents, unless corners are aligned.
    const scale: Scale =
      factors && how.coordinates !== 'align_corners'
        ? { from: 'known', values: factors }
        : { from: 'ratio', over: out, under: from };
    const attrs = {
      shape: [...shape.slice(0, 2), ...out],
      axes,
      scale,
      asked: out,
      policy: 'stretch' as const,
      cropped: false,
      cubicA: how.antialias ? -0.5 : -0.75,
      antialias: how.antialias ?? false,
      excludeOutside: false,
      extrapolation: 0,
      mode: how.mode,
      coordinates: how.coordinates,
      nearest: how.nearest,
    };
    return b(resize, [x], attrs);
  };

function factorsOf(n: AtenNode, axes: number): readonly number[] | undefined {
  if (n.has('scale_factors')) return n.numbers('scale_factors');
  const names =
    axes === 1 ? ['scales'] : axes === 2 ? ['scales_h', 'scales_w'] : ['scales_d', 'scales_h', 'scales_w'];
  return names.every((name) => n.has(name)) ? names.map((name) => Number(n.number(name))) : undefined;
}

const nearest = (): Sampling => ({ mode: 'nearest', coordinates: 'asymmetric', nearest: 'floor' });

const exactNearest = (): Sampling => ({
  mode: 'nearest',
  coordinates: 'half_pixel',
  nearest: 'round_prefer_ceil',
});

const smooth =
  (mode: 'linear' | 'cubic', antialias = false) =>
  (n: AtenNode): Sampling => ({
    mode,
    coordinates: n.flag('align_corners', false) ? 'align_corners' : 'half_pixel',
    nearest: 'floor',
    antialias,
  });

const upsampling = (base: string, ranks: readonly string[], c: AtenConverter): AtenMap =>
  eachOf(
    ranks.flatMap((r) => [`${base}${r}`, `${base}${r}.vec`]),
    c,
  );

const gridModes = ['linear', 'nearest', 'cubic'] as const;

const gridPadding = ['zeros', 'border', 'reflection'] as const;

/**
 * PyTorch moves each of the elements around a place to the border, the operator the place itself. With three more
 * elements around the border, places that are moved have nothing but elements of the border around them.
 */
function widened(b: Build, x: Value, grid: Value, alignCorners: boolean): readonly Value[] {
  const t = dtypeOf(x);
  const room = 3;
  const around = [0, 0, room, room];
  const [height, width] = shapeOf(x).slice(2) as [D.Dim, D.Dim];
  const sizes = b(dims, [], { dims: [width, height], dtype: 'i64', shape: [2] });
  const span = alignCorners ? call('sub', cast(t, arg(1)), numberOf(1, t)) : cast(t, arg(1));
  const place = call('mul', call('add', arg(0), numberOf(1, t)), span);
  const moved = call(
    'div',
    call('add', place, numberOf(2 * room, t)),
    call('add', span, numberOf(2 * room, t)),
  );
  return [
    b(pad, [x], { before: around, after: around, mode: 'edge' }),
    b(pointwise, [grid, sizes], { expr: call('sub', moved, numberOf(1, t)) }),
  ];
}

const sampled: AtenConverter = (n, b) => {
  const mode = gridModes[n.int('interpolation_mode')] ?? n.refuse('this interpolation is not known');
  const outside = gridPadding[n.int('padding_mode')] ?? n.refuse('this padding is not known');
  // Places in half precision would be off by whole elements.
  const t = n.result().dtype;
  const wide = t === 'f64' ? t : 'f32';
  const [x, grid] = ['input', 'grid'].map((name) => castTo(b, n.tensor(name), wide));
  const attrs = { mode, outside, alignCorners: n.flag('align_corners', false) };
  const inputs =
    mode === 'cubic' && outside === 'border' ? widened(b, x!, grid!, attrs.alignCorners) : [x!, grid!];
  return castTo(b, b(gridSample, inputs, attrs), t);
};

export const resampling: AtenMap = {
  ...upsampling('upsample_nearest', ['1d', '2d', '3d'], upsampled(nearest)),
  ...upsampling('_upsample_nearest_exact', ['1d', '2d', '3d'], upsampled(exactNearest)),
  ...eachOf(
    ['linear1d', 'bilinear2d', 'trilinear3d'].flatMap((name) => [`upsample_${name}`, `upsample_${name}.vec`]),
    upsampled(smooth('linear')),
  ),
  ...eachOf(['upsample_bicubic2d', 'upsample_bicubic2d.vec'], upsampled(smooth('cubic'))),
  ...eachOf(['_upsample_bilinear2d_aa', '_upsample_bilinear2d_aa.vec'], upsampled(smooth('linear', true))),
  ...eachOf(['_upsample_bicubic2d_aa', '_upsample_bicubic2d_aa.vec'], upsampled(smooth('cubic', true))),
  grid_sampler_2d: sampled,
  grid_sampler: sampled,
};
