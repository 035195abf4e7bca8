import { add, type Dim, floordiv, lt, mul, type Shape, select } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { float, int, ints, type OnnxAttrs, text } from './onnx-emitter.js';
import { axisOf, type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';

/** How an output place is carried over to the input: ONNX's coordinate_transformation_mode. */
export type Coordinates =
  | 'half_pixel'
  | 'half_pixel_symmetric'
  | 'pytorch_half_pixel'
  | 'align_corners'
  | 'asymmetric'
  | 'tf_crop_and_resize'
  | 'tf_half_pixel_for_nn';
export type NearestMode = 'round_prefer_floor' | 'round_prefer_ceil' | 'floor' | 'ceil';

/** Output places for one input place, for each of the axes. */
export type Scale =
  | { readonly from: 'known'; readonly values: readonly number[] }
  | { readonly from: 'ratio'; readonly over: Shape; readonly under: Shape }
  | { readonly from: 'input' };

type Settings = {
  readonly mode: 'nearest' | 'linear' | 'cubic';
  readonly coordinates: Coordinates;
  readonly nearest: NearestMode;
  readonly cubicA: number;
  readonly antialias: boolean;
  readonly excludeOutside: boolean;
  readonly extrapolation: number;
};

export type ResizeAttrs = {
  readonly shape: Shape;
  readonly axes: readonly number[];
  readonly scale: Scale;
  /** For toOnnx: the sizes asked for, and whether the aspect ratio is kept. */
  readonly asked: Shape;
  readonly policy: 'stretch' | 'not_larger' | 'not_smaller';
  readonly cropped: boolean;
} & Settings;

/**
 * Samples a tensor at another number of places along some axes. Inputs: the tensor, the region when it is
 * cropped, the scales when they are an input.
 */
export const resize: OpDef<ResizeAttrs> = defineOp({
  name: 'resize',
  infer: ([x], { shape }) => {
    if (shape.length !== x!.shape.length) throw new CompileError('bad-resize', 'the rank changes');
    return tensor(x!.dtype, shape);
  },
  onnx: {
    Resize: {
      10: (n, b) => byScales(n, b, n.input(1), simple(n)),
      11: (n, b) => convert(n, b, false),
      18: (n, b) => convert(n, b, true),
    },
    Upsample: {
      1: (n, b) => upsample(n, b, [1, 1, n.float('height_scale'), n.float('width_scale')]),
      7: (n, b) => upsample(n, b, n.floats('scales')),
      9: (n, b) => byScales(n, b, n.input(1), simple(n)),
    },
  },
  toOnnx: ({ attrs: a }, [x, ...rest], e) => {
    const roi = a.cropped ? rest[0] : undefined;
    const scales =
      a.scale.from === 'input'
        ? rest.at(-1)
        : a.scale.from === 'known'
          ? e.constant('f32', [a.axes.length], a.scale.values)
          : undefined;
    const sizes = a.scale.from === 'ratio' ? e.dims(a.asked) : undefined;
    return e.one('Resize', [x, roi, scales, sizes], onnxAttrs(a));
  },
});

const onnxAttrs = (a: ResizeAttrs): OnnxAttrs => ({
  mode: text(a.mode),
  coordinate_transformation_mode: text(a.coordinates),
  nearest_mode: text(a.nearest),
  cubic_coeff_a: float(a.cubicA),
  antialias: int(a.antialias),
  exclude_outside: int(a.excludeOutside),
  extrapolation_value: float(a.extrapolation),
  keep_aspect_ratio_policy: text(a.policy),
  axes: ints(a.axes),
});

/** The extents that scales which are not known while importing lead to. Input: the scales. */
export const resizeExtents: OpDef<{ from: Shape }> = defineOp({
  name: 'resize_extents',
  infer: (_, { from }) => tensor('i64', [from.length]),
  toOnnx: ({ attrs }, [scales], e) => {
    const float32 = { kind: 'dtype', value: 'f32' } as const;
    const from = e.one('Cast', [e.dims(attrs.from)], { to: float32 });
    const exact = e.one('Mul', [from, e.one('Cast', [scales], { to: float32 })]);
    return e.one('Cast', [e.one('Floor', [exact])], { to: { kind: 'dtype', value: 'i64' } });
  },
});

/** What Upsample and the first Resize do: no offset, and the nearest place is the one before. */
function simple(n: SourceNode): Settings {
  return {
    ...settings(n),
    mode: modeOf(n),
    coordinates: 'asymmetric',
    nearest: 'floor',
  };
}

function upsample(n: SourceNode, b: Build, scales: readonly number[]): Value {
  const x = n.input(0);
  return known(n, b, x, allAxes(x), scales, simple(n), undefined);
}

const allAxes = (x: Value): readonly number[] => shapeOf(x).map((_, d) => d);

function convert(n: SourceNode, b: Build, recent: boolean): ReturnType<Converter> {
  const x = n.input(0);
  const rank = shapeOf(x).length;
  const axes = recent && n.has('axes') ? n.ints('axes').map((a) => axisOf(a, rank)) : allAxes(x);
  const how = settings(n);
  const given = (i: number): Value | undefined => {
    const v = n.optional(i);
    return v && shapeOf(v)[0] === 0 ? undefined : v;
  };
  const roi = how.coordinates === 'tf_crop_and_resize' ? given(1) : undefined;
  if (how.coordinates === 'tf_crop_and_resize' && !roi)
    throw new CompileError('bad-resize', 'the region to crop is missing');
  if (roi && shapeOf(roi)[0] !== 2 * axes.length)
    throw new CompileError('bad-resize', 'the region does not name both ends of each axis');
  const [scales, sizes] = [given(2), given(3)];
  if (sizes) return bySizes(n, b, axes, n.dims(sizes), how, roi);
  if (!scales) throw new CompileError('bad-resize', 'neither scales nor sizes are given');
  return byScales(n, b, scales, how, axes, roi);
}

function byScales(
  n: SourceNode,
  b: Build,
  scales: Value,
  how: Settings,
  axes: readonly number[] = allAxes(n.input(0)),
  roi?: Value,
): Value {
  const x = n.input(0);
  const values = n.numbers(scales);
  if (values) return known(n, b, x, axes, values, how, roi);
  if (shapeOf(scales)[0] !== axes.length)
    throw new CompileError('bad-resize', 'there is not one scale for each axis');
  if (n.opset < 11 && n.opType === 'Resize')
    n.decline('which axes shrink is not known before the model runs');
  const from = axes.map((a) => shapeOf(x)[a]!);
  const extents = b(resizeExtents, [scales], { from });
  const out = axes.map((_, i) => n.bind(extents, i, 'resized'));
  return made(b, [x, roi, scales], axes, out, { from: 'input' }, how);
}

function known(
  n: SourceNode,
  b: Build,
  x: Value,
  axes: readonly number[],
  scales: readonly number[],
  how: Settings,
  roi: Value | undefined,
): Value {
  if (scales.length !== axes.length)
    throw new CompileError('bad-resize', `${scales.length} scales are given for ${axes.length} axes`);
  // The first Resize took the place behind where it shrinks.
  const shrinks = n.opType === 'Resize' && n.opset < 11 && scales.some((s) => s < 1);
  if (shrinks && how.mode === 'nearest' && scales.some((s) => s > 1))
    n.decline('some axes shrink and others grow, in the first version of Resize');
  const out = axes.map((a, i) => {
    const extent = scaled(shapeOf(x)[a]!, scales[i]!);
    return extent ?? n.decline(`the scale ${scales[i]} of an extent that is not known is no simple fraction`);
  });
  const nearest = shrinks ? 'ceil' : how.nearest;
  return made(b, [x, roi], axes, out, { from: 'known', values: scales }, { ...how, nearest });
}

/** floor(n * scale) in single precision; an unknown extent needs a scale that is a simple fraction. */
export function scaled(n: Dim, scale: number): Dim | undefined {
  if (typeof n === 'number') return Math.floor(Math.fround(n * Math.fround(scale)));
  for (let under = 1; under <= 1024; under++) {
    const over = Math.round(scale * under);
    if (Math.fround(over / under) === Math.fround(scale)) return floordiv(mul(n, over), under);
  }
  return undefined;
}

function bySizes(
  n: SourceNode,
  b: Build,
  axes: readonly number[],
  asked: Shape,
  how: Settings,
  roi: Value | undefined,
): Value {
  const x = n.input(0);
  if (asked.length !== axes.length)
    throw new CompileError('bad-resize', `${asked.length} sizes are given for ${axes.length} axes`);
  const from = axes.map((a) => shapeOf(x)[a]!);
  const policy = n.string('keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch')
    return made(b, [x, roi], axes, asked, { from: 'ratio', over: asked, under: from }, how, asked);
  if (policy !== 'not_larger' && policy !== 'not_smaller')
    return n.decline(`Resize has no policy "${policy}"`);
  // One scale for all axes: the smallest or the largest of asked / from.
  let [over, under] = [asked[0]!, from[0]!];
  for (let i = 1; i < asked.length; i++) {
    const [left, right] = [mul(asked[i]!, under), mul(over, from[i]!)];
    const take = policy === 'not_larger' ? lt(left, right) : lt(right, left);
    [over, under] = [select(take, asked[i]!, over), select(take, from[i]!, under)];
  }
  const out = from.map((d) => floordiv(add(mul(2, over, d), under), mul(2, under)));
  const scale: Scale = { from: 'ratio', over: axes.map(() => over), under: axes.map(() => under) };
  return made(b, [x, roi], axes, out, scale, how, asked, policy);
}

function made(
  b: Build,
  [x, ...rest]: readonly [Value, ...(Value | undefined)[]],
  axes: readonly number[],
  out: Shape,
  scale: Scale,
  how: Settings,
  asked: Shape = [],
  policy: ResizeAttrs['policy'] = 'stretch',
): Value {
  const shape = shapeOf(x).map((d, i) => (axes.includes(i) ? out[axes.indexOf(i)]! : d));
  const inputs = [x, ...rest.filter((v) => v !== undefined)];
  return b(resize, inputs, { shape, axes, scale, asked, policy, cropped: rest[0] !== undefined, ...how });
}

function modeOf(n: SourceNode): Settings['mode'] {
  const mode = n.string('mode', 'nearest');
  if (mode === 'bilinear' || mode === 'trilinear') return 'linear';
  if (mode === 'nearest' || mode === 'linear' || mode === 'cubic') return mode;
  return n.decline(`${n.opType} has no mode "${mode}"`);
}

const coordinateModes: readonly Coordinates[] = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_crop_and_resize',
  'tf_half_pixel_for_nn',
];
const nearestModes: readonly NearestMode[] = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];

function settings(n: SourceNode): Settings {
  const mode = modeOf(n);
  const coordinates = n.string('coordinate_transformation_mode', 'half_pixel');
  const nearest = n.string('nearest_mode', 'round_prefer_floor');
  return {
    mode,
    coordinates:
      coordinateModes.find((c) => c === coordinates) ?? n.decline(`Resize has no mode "${coordinates}"`),
    nearest: nearestModes.find((c) => c === nearest) ?? n.decline(`Resize has no mode "${nearest}"`),
    cubicA: n.float('cubic_coeff_a', -0.75),
    antialias: n.int('antialias', 0) === 1 && mode !== 'nearest',
    excludeOutside: n.int('exclude_outside', 0) === 1 && mode === 'cubic',
    extrapolation: n.float('extrapolation_value', 0),
  };
}
