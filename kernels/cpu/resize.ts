import { Cpp, cpp, join, number } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { type ResizeAttrs, resize, resizeExtents } from '../../src/ops/resize.js';
import { flag, refusePacked } from '../shared/elements.js';

export const mostAxes = 8;

export const pascal = (s: string): Cpp =>
  new Cpp(
    s
      .split('_')
      .map((w) => (w === 'nn' ? 'NN' : w[0]!.toUpperCase() + w.slice(1)))
      .join(''),
  );

export const coordinates = (c: ResizeAttrs['coordinates']): Cpp =>
  c === 'tf_half_pixel_for_nn' ? new Cpp('TfHalfPixelForNN') : pascal(c);

/** The scale of the i-th resized axis. */
function scaleText({ scale, cropped }: ResizeAttrs, i: number, k: KernelBuilder): Cpp {
  switch (scale.from) {
    case 'known':
      return number(Math.fround(scale.values[i]!));
    case 'ratio':
      return cpp`static_cast<float>(${k.arg(scale.over[i]!)}) / static_cast<float>(${k.arg(scale.under[i]!)})`;
    case 'input':
      return cpp`ait::cast_to<float>(${k.input(cropped ? 2 : 1)}[${i}])`;
    default:
      return scale satisfies never;
  }
}

export const resizeKernel = defineKernel({
  op: resize,
  refuse: (node) => {
    if (shapeOf(node.inputs[0]!).length > mostAxes) return `it has more than ${mostAxes} axes`;
    const type = dtypeOf(node.inputs[0]!);
    return refusePacked(node) ?? (type.startsWith('c') ? `${type} elements are not resized` : undefined);
  },
  work: ({ outputs, attrs }) => mul(attrs.mode === 'nearest' ? 2 : 16, numel(shapeOf(outputs[0]!))),
  emit: ({ inputs, outputs, attrs: a }, k) => {
    const [from, to] = [shapeOf(inputs[0]!), shapeOf(outputs[0]!)];
    const regions = a.axes.length;
    const axes = from.map((n, d) => {
      const i = a.axes.indexOf(d);
      const edge = (at: number): Cpp => cpp`ait::cast_to<float>(${k.input(1)}[${at}])`;
      const scale = i < 0 ? cpp`1.0f` : scaleText(a, i, k);
      const region = i >= 0 && a.cropped ? [edge(i), edge(i + regions)] : [cpp`0.0f`, cpp`1.0f`];
      return cpp`{${k.arg(n)}, ${k.arg(to[d]!)}, ${scale}, ${join(region, ', ')}}`;
    });
    k.include('ait/resize.h');
    const run = new Cpp(a.mode === 'nearest' ? 'resize_nearest' : 'resize_interpolate');
    return cpp`
      const ait::ResizeSpec spec = {ait::ResizeMode::${pascal(a.mode)}, ait::Coordinates::${coordinates(a.coordinates)}, ait::NearestMode::${pascal(a.nearest)}, ${number(a.cubicA)}, ${flag(a.antialias)}, ${flag(a.excludeOutside)}, ${number(a.extrapolation)}};
      const ait::ResizeAxis axes[] = {${join(axes, ', ')}};
      ait::${run}(ctx, spec, ${axes.length}, axes, ${k.input(0)}, ${k.output()});
    `;
  },
});

export const resizeExtentsKernel = defineKernel({
  op: resizeExtents,
  emit: ({ attrs: { from } }, k) => {
    k.include('ait/numeric.h');
    return cpp`${from.map((n, i) => cpp`${k.output()}[${i}] = static_cast<int64_t>(ait::cast_to<float>(${k.input(0)}[${i}]) * static_cast<float>(${k.arg(n)}));`)}`;
  },
});
