import * as D from '../../ir/dim.js';
import { arg, call } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { col2im } from '../col2im.js';
import { concatenated } from '../concat.js';
import { dims } from '../constant.js';
import type { Build } from '../op.js';
import { type PadMode, pad } from '../pad.js';
import { pointwise } from '../pointwise.js';
import { type PoolAttrs, pool } from '../pool.js';
import { reduce, reduced } from '../reduce.js';
import { type Coordinates, type NearestMode, resize, type Scale, scaled } from '../resize.js';
import { gridSample } from '../sampling.js';
import { sliced, slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { numberOf, one, tensorOperand } from './operands.js';
import { reshaped } from './shapes.js';

/** One number for all axes, or one for each. */
function perAxis(n: AtenNode, name: string, axes: number, fallback: readonly number[]): readonly number[] {
  const given = n.ints(name, []);
  if (given.length === 0) return fallback;
  return given.length === 1 ? Array.from({ length: axes }, () => given[0]!) : given;
}

/** Tensors without a batch get one for the time being. */
function batched(b: Build, x: Value, axes: number, f: (x: Value) => readonly Value[]): readonly Value[] {
  const shape = shapeOf(x);
  if (shape.length === axes + 2) return f(x);
  return f(reshaped(b, x, [1, ...shape])).map((y) => reshaped(b, y, shapeOf(y).slice(1)));
}

const pooled =
  (axes: number, kind: PoolAttrs['kind'], indices = false): AtenConverter =>
  (n, b) =>
    batched(b, n.tensor('self'), axes, (x) => {
      const ones = Array.from({ length: axes }, () => 1);
      const kernel = perAxis(n, 'kernel_size', axes, ones);
      const pads = perAxis(
        n,
        'padding',
        axes,
        ones.map(() => 0),
      );
      const attrs: PoolAttrs = {
        kernel,
        strides: perAxis(n, 'stride', axes, kernel),
        pads: [...pads, ...pads],
        dilations: perAxis(n, 'dilation', axes, ones),
        kind,
        ceil: n.flag('ceil_mode', false),
        countPadding: n.flag('count_include_pad', true),
        p: 2,
        layout: 'NCX',
        indices: undefined,
      };
      if (!indices) {
        if (!n.has('divisor_override')) return [b(pool, [x], attrs)];
        // The average over the window, times its size, over what is asked for.
        const size = kernel.reduce((p, q) => p * q, 1);
        if (attrs.ceil || !attrs.countPadding)
          return n.refuse('with a divisor of its own and windows cut short');
        const t = dtypeOf(x);
        const factor = numberOf(size / n.int('divisor_override'), t);
        return [one(b, b(pool, [x], attrs), call('mul', arg(0), factor))];
      }
      if (!n.wants(1)) return [b(pool, [x], attrs)];
      return maximaWithPlaces(b, x, attrs);
    });

/** PyTorch counts places within one channel, the operator within the whole tensor. */
function maximaWithPlaces(b: Build, x: Value, attrs: PoolAttrs): readonly Value[] {
  const [values, places] = b.all(pool, [x], { ...attrs, indices: 'row' });
  const area = D.numel(shapeOf(x).slice(2));
  if (typeof area === 'number') return [values!, one(b, places!, call('mod', arg(0), numberOf(area, 'i64')))];
  const extent = b(dims, [], { dims: [area], dtype: 'i64', shape: [] });
  return [values!, b(pointwise, [places!, extent], { expr: call('mod', arg(0), arg(1)) })];
}

/** Averages or maxima over windows that divide the input as evenly as they can. */
const adaptive =
  (axes: number, kind: 'average' | 'max'): AtenConverter =>
  (n, b) =>
    batched(b, n.tensor('self'), axes, (x) => {
      const spatial = shapeOf(x).slice(2);
      const asked = n.dims('output_size');
      const sizes = spatial.map((d, i) => (asked.length === 1 ? asked[0]! : (asked[i] ?? d)));
      if (kind === 'max' && n.wants(1)) return adaptiveWithPlaces(n, b, x, sizes);
      let y = x;
      const ones = spatial.map((_, i) => i + 2).filter((_, i) => sizes[i] === 1);
      if (ones.length > 0) y = reduced(b, kind === 'max' ? 'max' : 'mean', y, ones);
      spatial.forEach((d, i) => {
        if (sizes[i] === 1 || D.same(d, sizes[i]!)) return;
        if (typeof d !== 'number' || typeof sizes[i] !== 'number')
          n.refuse('the extents it divides are known only when the model runs');
        y = divided(b, y, i + 2, d as number, sizes[i] as number, kind);
      });
      return [y];
    });

/** One axis; windows of one size are a pool, others are taken one by one. */
function divided(b: Build, x: Value, axis: number, from: number, to: number, kind: 'average' | 'max'): Value {
  const axes = shapeOf(x).length - 2;
  const at = <T>(own: T, rest: T): readonly T[] =>
    Array.from({ length: axes }, (_, i) => (i === axis - 2 ? own : rest));
  if (from % to === 0) {
    const attrs: PoolAttrs = {
      kernel: at(from / to, 1),
      strides: at(from / to, 1),
      pads: at(0, 0).flatMap(() => [0, 0]),
      dilations: at(1, 1),
      kind,
      ceil: false,
      countPadding: true,
      p: 2,
      layout: 'NCX',
    };
    return b(pool, [x], attrs);
  }
  const parts = Array.from({ length: to }, (_, i) => {
    const start = Math.floor((i * from) / to);
    const end = Math.ceil(((i + 1) * from) / to);
    const part = slicedAxis(b, x, axis, start, end - start);
    return b(reduce, [part], { kind: kind === 'max' ? 'max' : 'mean', axes: [axis], keepdims: true });
  });
  return concatenated(b, parts, axis);
}

function adaptiveWithPlaces(n: AtenNode, b: Build, x: Value, sizes: D.Shape): readonly Value[] {
  const spatial = shapeOf(x).slice(2);
  const kernel = spatial.map((d, i) => {
    const to = sizes[i]!;
    return typeof d === 'number' && typeof to === 'number' && d % to === 0
      ? d / to
      : n.refuse('windows of different sizes with the places of their maxima');
  });
  const zeros = spatial.flatMap(() => [0, 0]);
  return maximaWithPlaces(b, x, {
    kernel,
    strides: kernel,
    pads: zeros,
    dilations: kernel.map(() => 1),
    kind: 'max',
    ceil: false,
    countPadding: true,
    p: 2,
    layout: 'NCX',
  });
}

const padModes: Readonly<Record<string, PadMode>> = {
  constant: 'constant',
  reflect: 'reflect',
  replicate: 'edge',
  circular: 'wrap',
};

/** Amounts are given from the last axis on, before and after. */
const padded =
  (mode?: PadMode): AtenConverter =>
  (n, b) => {
    const x = n.tensor('self');
    const rank = shapeOf(x).length;
    const amounts = n.dims(n.has('pad') ? 'pad' : 'padding');
    const side = (which: 0 | 1): D.Shape =>
      shapeOf(x).map((_, i) => amounts[2 * (rank - 1 - i) + which] ?? 0);
    const how =
      mode ?? padModes[n.text('mode', 'constant')] ?? n.refuse(`there is no mode "${n.text('mode')}"`);
    const [before, after] = [side(0), side(1)];
    const inputs = how === 'constant' && n.has('value') ? [x, tensorOperand(n, b, 'value', dtypeOf(x))] : [x];
    if ([...before, ...after].every((d) => d === 0)) return x;
    if (how === 'constant' || [...before, ...after].every((d) => typeof d !== 'number' || d >= 0))
      return b(pad, inputs, { before, after, mode: how });
    // Negative amounts cut first.
    const cut = (s: D.Shape): D.Shape => s.map((d) => (typeof d === 'number' && d < 0 ? -d : 0));
    const [front, back] = [cut(before), cut(after)];
    const shape = shapeOf(x).map((d, i) => D.sub(d, D.add(front[i]!, back[i]!)));
    const part = sliced(
      b,
      x,
      front,
      shape.map(() => 1),
      shape,
    );
    const kept = (s: D.Shape): D.Shape => s.map((d) => (typeof d === 'number' ? Math.max(0, d) : d));
    return b(pad, [part], { before: kept(before), after: kept(after), mode: how });
  };

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

const eachOf = (names: readonly string[], c: AtenConverter): AtenMap =>
  Object.fromEntries(names.map((name) => [name, c]));
const upsampling = (base: string, ranks: readonly string[], c: AtenConverter): AtenMap =>
  eachOf(
    ranks.flatMap((r) => [`${base}${r}`, `${base}${r}.vec`]),
    c,
  );

const gridModes = ['linear', 'nearest', 'cubic'] as const;
const gridPadding = ['zeros', 'border', 'reflection'] as const;

const sampled: AtenConverter = (n, b) => {
  const mode = gridModes[n.int('interpolation_mode')] ?? n.refuse('this interpolation is not known');
  const outside = gridPadding[n.int('padding_mode')] ?? n.refuse('this padding is not known');
  return b(gridSample, [n.tensor('input'), n.tensor('grid')], {
    mode,
    outside,
    alignCorners: n.flag('align_corners', false),
  });
};

const folded: AtenConverter = (n, b) => {
  const x = n.tensor('self');
  const zeros = n.ints('padding', [0, 0]);
  return b(col2im, [x], {
    image: n.dims('output_size'),
    block: n.ints('kernel_size'),
    strides: n.ints('stride', [1, 1]),
    dilations: n.ints('dilation', [1, 1]),
    pads: [...zeros, ...zeros],
  });
};

export const images: AtenMap = {
  max_pool1d: pooled(1, 'max'),
  max_pool2d: pooled(2, 'max'),
  max_pool3d: pooled(3, 'max'),
  max_pool2d_with_indices: pooled(2, 'max', true),
  max_pool3d_with_indices: pooled(3, 'max', true),
  avg_pool1d: pooled(1, 'average'),
  avg_pool2d: pooled(2, 'average'),
  avg_pool3d: pooled(3, 'average'),
  adaptive_avg_pool1d: adaptive(1, 'average'),
  adaptive_avg_pool2d: adaptive(2, 'average'),
  adaptive_avg_pool3d: adaptive(3, 'average'),
  _adaptive_avg_pool2d: adaptive(2, 'average'),
  _adaptive_avg_pool3d: adaptive(3, 'average'),
  adaptive_max_pool1d: adaptive(1, 'max'),
  adaptive_max_pool2d: adaptive(2, 'max'),
  adaptive_max_pool3d: adaptive(3, 'max'),
  pad: padded(),
  constant_pad_nd: padded('constant'),
  ...eachOf(['reflection_pad1d', 'reflection_pad2d', 'reflection_pad3d'], padded('reflect')),
  ...eachOf(['replication_pad1d', 'replication_pad2d', 'replication_pad3d'], padded('edge')),
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
  col2im: folded,
};
