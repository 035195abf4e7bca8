import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { type Dim, numel, type Shape, same } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { isFloat } from '../../src/ir/type.js';
import { type ResizeAttrs, resizeExtents } from '../../src/ops/resize.js';
import { carrier, flag } from '../shared/elements.js';
import { coordinates, pascal, refuseManyAxes, resizeTraits } from '../shared/resize.js';
import { indexType } from './index-text.js';
import { refuseTypes } from './pointwise.js';
import { vectorWidth } from './vector-width.js';

/** The scale of the i-th resized axis. */
function scaleText({ scale, cropped }: ResizeAttrs, i: number, k: GpuBuilder): Cpp {
  switch (scale.from) {
    case 'known':
      return k.number(Math.fround(scale.values[i]!));
    case 'ratio':
      return cpp`static_cast<float>(${k.arg(scale.over[i]!)}) / static_cast<float>(${k.arg(scale.under[i]!)})`;
    case 'input': {
      const at = cropped ? 2 : 1;
      return floatText(dtypeOf(k.node.inputs[at]!) === 'f64', cpp`${k.input(at)}[${i}]`);
    }
    default:
      return scale satisfies never;
  }
}

const floatText = (isDouble: boolean, x: Cpp): Cpp =>
  isDouble ? cpp`static_cast<float>(${x})` : cpp`ait::to_f32(${x})`;

export const resizeKernel = defineGpuKernel({
  ...resizeTraits,
  refuse: (node) => refuseManyAxes(node) ?? refuseTypes(node),
  emit: ({ inputs, outputs, attrs: a }, k): Launch => {
    k.include('ait/gpu/resize.h');
    const [from, to] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
    const t = dtypeOf(inputs[0]!);
    const { outer, axes, block } = partsOf(a, from, to);
    const list = axes.map((axis) => axisText(a, axis, k));
    const form = cpp`ait::gpu::ResizeForm<ait::gpu::ResizeMode::${pascal(a.mode)}, ait::gpu::Coordinates::${coordinates(a.coordinates)}, ait::gpu::NearestMode::${pascal(a.nearest)}, ${flag(a.antialias)}, ${flag(a.excludeOutside)}>`;
    const nearest = a.mode === 'nearest';
    const vector = Math.min(8, vectorWidth([t], block));
    const types = cpp`${form}, ${indexType(to)}, ${axes.length}, ${vector}`;
    const sizes = cpp`${k.arg(outer)}, axes, ${k.arg(block)}`;
    const moved = (p: Cpp, constant: string): Cpp =>
      cpp`reinterpret_cast<${new Cpp(constant)}${carrier(t)}*>(${p})`;
    const fill = k.number(a.extrapolation);
    const run = nearest
      ? isFloat(t) || a.coordinates === 'tf_crop_and_resize'
        ? cpp`ait::gpu::resize_nearest<${types}, ${ctype[t]}>(${sizes}, ait::gpu::stored<${ctype[t]}>(${fill}), ${k.input(0)}, ${k.output()});`
        : cpp`ait::gpu::resize_nearest<${types}, ${carrier(t)}>(${sizes}, 0, ${moved(k.input(0), 'const ')}, ${moved(k.output(), '')});`
      : cpp`ait::gpu::resize_interpolate<${types}>(${sizes}, ${k.number(a.cubicA)}, ${fill}, ait::gpu::read(${k.input(0)}), ait::gpu::write(${k.output()}));`;
    const threads = 256;
    return {
      body: cpp`
        const ait::gpu::ResizeAxis axes[] = {${join(list, ', ')}};
        ${run}
      `,
      grid: [cpp`ait::gpu::blocks(${k.fresh(numel(to))}, ${threads * vector})`],
      threads,
    };
  },
});

interface Axis {
  readonly from: Dim;
  readonly to: Dim;
  /** Its place among the axes that the operator names. */
  readonly named?: number | undefined;
}

/** The tensor as [outer][axes][block]: what stays in front and behind is merged. */
function partsOf(a: ResizeAttrs, from: Shape, to: Shape): { outer: Dim; axes: readonly Axis[]; block: Dim } {
  const stays = (d: number): boolean => {
    const i = a.axes.indexOf(d);
    if (i < 0) return true;
    if (!same(from[d]!, to[d]!) || a.coordinates === 'tf_crop_and_resize') return false;
    return a.scale.from === 'known'
      ? a.scale.values[i] === 1
      : a.scale.from === 'ratio' && same(a.scale.over[i]!, a.scale.under[i]!);
  };
  let [first, last] = [0, from.length];
  while (first < last - 1 && stays(first)) first++;
  while (last > first + 1 && stays(last - 1)) last--;
  const axes = from.slice(first, last).map((d, i): Axis => {
    const named = a.axes.indexOf(first + i);
    return { from: d, to: to[first + i]!, named: named < 0 ? undefined : named };
  });
  return {
    outer: numel(from.slice(0, first)),
    axes: axes.length > 0 ? axes : [{ from: 1, to: 1 }],
    block: numel(from.slice(last)),
  };
}

function axisText(a: ResizeAttrs, { from, to, named }: Axis, k: GpuBuilder): Cpp {
  const isDouble = a.cropped && dtypeOf(k.node.inputs[1]!) === 'f64';
  const edge = (at: number): Cpp => floatText(isDouble, cpp`${k.input(1)}[${at}]`);
  const scale = named === undefined ? cpp`1.0f` : scaleText(a, named, k);
  const region =
    named !== undefined && a.cropped ? [edge(named), edge(named + a.axes.length)] : [cpp`0.0f`, cpp`1.0f`];
  return cpp`{${k.arg(from)}, ${k.arg(to)}, ${scale}, ${join(region, ', ')}}`;
}

export const resizeExtentsKernel = defineGpuKernel({
  op: resizeExtents,
  refuse: refuseTypes,
  emit: ({ inputs, attrs: { from } }, k) => {
    const isDouble = dtypeOf(inputs[0]!) === 'f64';
    const extent = (n: Dim, i: number): Cpp =>
      cpp`${k.output()}[${i}] = static_cast<int64_t>(${floatText(isDouble, cpp`${k.input(0)}[${i}]`)} * static_cast<float>(${k.arg(n)}));`;
    return {
      body: cpp`
        if (ait::gpu::thread() != 0) return;
        ${from.map(extent)}
      `,
      grid: [cpp`1`],
      threads: 32,
    };
  },
});
