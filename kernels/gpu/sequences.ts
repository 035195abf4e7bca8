import { cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type Launch } from '../../codegen/gpu/builder.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { reverseSequence } from '../../src/ops/reverse-sequence.js';
import { denseStrides } from '../../src/ops/strides.js';
import { tensorScatter } from '../../src/ops/tensor-scatter.js';
import { movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import { scatterCheck, scatterExtents, sequenceCheck, sequenceExtents } from '../shared/sequences.js';
import { carrierBytes, dividing, elementLoop } from './element-loop.js';
import { copied } from './scatter.js';

export const reverseSequenceKernel = defineGpuKernel({
  op: reverseSequence,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, outputs, attrs } = node;
    const extents = sequenceExtents(node);
    const [time, batch] = attrs.time < attrs.batch ? [1, 3] : [3, 1];
    k.before(sequenceCheck(node, k));
    const width = Math.min(16 / carrierBytes(dtypeOf(inputs[0]!)), dividing([extents[4]!]));
    const step = k.dim(denseStrides(extents)[time]!);
    k.include('ait/gpu/rows.h');
    return elementLoop(
      k,
      extents,
      width,
      [...inputs, ...outputs],
      (i) => cpp`
        const int64_t length = ${k.input(1)}[i${batch}], t = i${time};
        if (length < 0 || length > ${k.dim(extents[time]!)}) {
          ${k.fail('ReverseSequence: a length is outside the time axis')}
          return;
        }
        const int64_t by = t < length ? length - 1 - 2 * t : 0;
        ait::gpu::move<${width}>(${movedOutput(k)} + ${i} * ${width}, ${movedInput(k, 0)} + ${i} * ${width} + by * ${step});
      `,
    );
  },
});

export const tensorScatterKernel = defineGpuKernel({
  op: tensorScatter,
  refuse: refusePacked,
  inPlace: () => [0],
  emit: (node, k): readonly Launch[] => {
    const { inputs, outputs, attrs } = node;
    const cache = shapeOf(inputs[0]!);
    k.before(scatterCheck(node, k));
    const [batch, heads, places, steps, inner] = scatterExtents(node);
    const width = Math.min(16 / carrierBytes(dtypeOf(inputs[0]!)), dividing([inner]));
    const start = inputs.length > 2 ? cpp`${k.input(2)}[i0]` : cpp`0`;
    const [room, count] = [k.dim(places), k.dim(steps)];
    const row = cpp`((static_cast<int64_t>(i0) * ${k.dim(heads)} + i1) * ${room} + at) * ${k.dim(inner)} + i3 * ${width}`;
    k.include('ait/gpu/rows.h');
    const inside = attrs.circular ? cpp`${room} > 0` : cpp`start + ${count} <= ${room}`;
    const at = attrs.circular ? cpp`(start + i2) % ${room}` : cpp`start + i2`;
    const update = elementLoop(
      k,
      [batch, heads, steps, inner],
      width,
      [...inputs, ...outputs],
      (i) => cpp`
        const int64_t start = ${start};
        if (!(start >= 0 && ${inside})) {
          ${k.fail('TensorScatter: the entries do not fit the cache')}
          return;
        }
        ${attrs.circular && cpp`if (static_cast<int64_t>(i2) + ${room} < ${count}) return;`}
        const int64_t at = ${at};
        ait::gpu::move<${width}>(${movedOutput(k)} + ${row}, ${movedInput(k, 1)} + ${i} * ${width});
      `,
    );
    return [copied(k, cache), update];
  },
});
