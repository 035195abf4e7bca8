import { cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type Launch } from '../../codegen/gpu/builder.js';
import { add, floordiv, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { deformCheck, deformConvTraits, deformSizes } from '../shared/deform-conv.js';
import { listOf, nullPointer, refuseNoFloat } from '../shared/elements.js';
import { elementLoop } from './element-loop.js';
import { refuseTypes } from './pointwise.js';
import { computed } from './sampling.js';

/** Output channels that a thread computes at one place. */
const each = 8;

export const deformConvKernel = defineGpuKernel({
  ...deformConvTraits,
  refuse: (node) => refuseNoFloat(node) ?? refuseTypes(node),
  emit: (node, k): readonly Launch[] => {
    const { inputs, outputs, attrs: a } = node;
    const [x, w] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
    const out = shapeOf(outputs[0]!);
    k.before(deformCheck(node, k));
    const nothing = nullPointer(inputs[0]!);
    const bias = a.bias ? k.input(3) : nothing;
    const mask = a.mask ? k.input(inputs.length - 1) : nothing;
    const [places, taps] = [numel(out.slice(2)), numel(w.slice(2))];
    const columns = [x[0]!, x[1]!, taps, places];
    const F = computed(node);
    const memory = k.scratch(F, cpp`${k.arg(numel(columns))} * static_cast<int64_t>(sizeof(${F}))`);
    const shape = cpp`const ait::DeformShape shape = {${listOf(k, deformSizes(node))}};`;
    k.include('ait/gpu/sampling.h');
    const all = [...inputs, ...outputs];
    return [
      elementLoop(
        k,
        columns,
        1,
        all,
        (i) => cpp`
          ${shape}
          ait::gpu::deform_columns<${F}>(${i}, ${k.input(0)}, ${k.input(2)}, ${mask}, ${memory}, shape);
        `,
      ),
      elementLoop(
        k,
        [x[0]!, a.groups, floordiv(add(floordiv(w[0]!, a.groups), each - 1), each), places],
        1,
        all,
        () => cpp`
          ${shape}
          ait::gpu::deform_products<${each}>(i0, i1, static_cast<int64_t>(i2) * ${each}, i3, static_cast<const ${F}*>(${memory}), ${k.input(1)}, ${bias}, ${k.output()}, shape);
        `,
      ),
    ];
  },
});
