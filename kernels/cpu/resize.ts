import { Cpp, cpp, join, number } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { type ResizeAttrs, resizeExtents } from '../../src/ops/resize.js';
import { flag, refusePacked } from '../shared/elements.js';
import { coordinates, pascal, refuseManyAxes, resizeTraits } from '../shared/resize.js';

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
  ...resizeTraits,
  refuse: (node) => {
    const type = dtypeOf(node.inputs[0]!);
    const complex = type.startsWith('c') ? `${type} elements are not resized` : undefined;
    return refuseManyAxes(node) ?? refusePacked(node) ?? complex;
  },
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
