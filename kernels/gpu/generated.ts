import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { numel, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { dims } from '../../src/ops/constant.js';
import { oneHot } from '../../src/ops/one-hot.js';
import { iota, range, rangeCount } from '../../src/ops/range.js';
import { shapeOfValue } from '../../src/ops/shape.js';
import { eye, trilu } from '../../src/ops/triangular.js';
import { movedInput, movedOutput, refusePacked } from '../shared/elements.js';
import { oneHotCheck } from '../shared/sequences.js';
import { elementLoop } from './element-loop.js';
import { narrowed, refuseTypes, widened } from './pointwise.js';

/** Writes extents as elements: one thread does. */
function write(extents: Shape, k: GpuBuilder): Launch {
  const type = ctype[dtypeOf(k.node.outputs[0]!)];
  return {
    body: cpp`
      if (ait::gpu::thread() != 0) return;
      ${extents.map((d, i) => cpp`${k.output()}[${i}] = static_cast<${type}>(${k.dim(d)});`)}
    `,
    grid: [cpp`1`],
    threads: 32,
  };
}

export const dimsKernel = defineGpuKernel({ op: dims, emit: ({ attrs }, k) => write(attrs.dims, k) });

export const shapeOfKernel = defineGpuKernel({
  op: shapeOfValue,
  tellsExtents: true,
  emit: ({ inputs, attrs }, k) => write(shapeOf(inputs[0]!).slice(attrs.start, attrs.end), k),
});

export const iotaKernel = defineGpuKernel({
  op: iota,
  refuse: refuseTypes,
  emit: ({ outputs, attrs: a }, k) =>
    elementLoop(
      k,
      [a.count],
      1,
      outputs,
      (i) =>
        cpp`${k.output()}[${i}] = static_cast<${ctype[a.dtype]}>(${k.dim(a.start)} + static_cast<int64_t>(${i}) * ${k.dim(a.step)});`,
    ),
});

/** The only element of input i. */
const scalarInput = (k: GpuBuilder, i: number): Cpp =>
  /^b?f16$/.test(dtypeOf(k.node.inputs[i]!))
    ? cpp`static_cast<double>(ait::to_f32(*${k.input(i)}))`
    : cpp`static_cast<double>(*${k.input(i)})`;

export const rangeCountKernel = defineGpuKernel({
  op: rangeCount,
  refuse: refuseTypes,
  emit: (_, k) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => scalarInput(k, i));
    return {
      body: cpp`
        if (ait::gpu::thread() != 0) return;
        const double n = ceil((${limit} - ${start}) / ${delta});
        if (!(n < 9e15)) {
          ${k.fail('Range: the delta does not lead to the limit')}
          *${k.output()} = 0;
          return;
        }
        *${k.output()} = n > 0 ? static_cast<int64_t>(n) : 0;
      `,
      grid: [cpp`1`],
      threads: 32,
    };
  },
});

export const rangeKernel = defineGpuKernel({
  op: range,
  refuse: refuseTypes,
  emit: ({ outputs, attrs }, k) => {
    const t = dtypeOf(outputs[0]!);
    return elementLoop(k, [attrs.count], 1, outputs, (i) => {
      const value = cpp`(${scalarInput(k, 0)} + ${scalarInput(k, 2)} * static_cast<double>(${i}))`;
      const stored = /^b?f16$/.test(t)
        ? narrowed(t, cpp`static_cast<float>(${value})`)
        : cpp`static_cast<${ctype[t]}>(${value})`;
      return cpp`${k.output()}[${i}] = ${stored};`;
    });
  },
});

export const triluKernel = defineGpuKernel({
  op: trilu,
  refuse: refusePacked,
  emit: ({ inputs, outputs, attrs }, k) => {
    const shape = shapeOf(inputs[0]!);
    const [rows, columns] = shape.slice(-2);
    const x = movedInput(k, 0);
    const side = cpp`static_cast<int64_t>(i2) - static_cast<int64_t>(i1) ${new Cpp(attrs.upper ? '>=' : '<=')} ${k.dim(attrs.k)}`;
    return elementLoop(
      k,
      [numel(shape.slice(0, -2)), rows!, columns!],
      1,
      outputs,
      (i) => cpp`${movedOutput(k)}[${i}] = ${side} ? ${x}[${i}] : 0;`,
    );
  },
});

export const eyeKernel = defineGpuKernel({
  op: eye,
  refuse: refuseTypes,
  emit: ({ outputs, attrs }, k) => {
    const t = dtypeOf(outputs[0]!);
    const on = cpp`static_cast<int64_t>(i1) - static_cast<int64_t>(i0) == ${k.dim(attrs.k)}`;
    const element = /^b?f16$/.test(t)
      ? narrowed(t, cpp`(${on} ? 1.0f : 0.0f)`)
      : cpp`static_cast<${ctype[t]}>(${on} ? 1 : 0)`;
    return elementLoop(
      k,
      [attrs.rows, attrs.columns],
      1,
      outputs,
      (i) => cpp`${k.output()}[${i}] = ${element};`,
    );
  },
});

export const oneHotKernel = defineGpuKernel({
  op: oneHot,
  refuse: refusePacked,
  emit: (node, k) => {
    const { inputs, outputs } = node;
    const { axis, depth } = node.attrs;
    const shape = shapeOf(inputs[0]!);
    const [outer, inner] = [numel(shape.slice(0, axis)), numel(shape.slice(axis))];
    const values = movedInput(k, 1);
    const index = cpp`${k.input(0)}[static_cast<int64_t>(i0) * ${k.dim(inner)} + i2]`;
    k.before(oneHotCheck(node, k));
    return elementLoop(
      k,
      [outer, depth, inner],
      1,
      outputs,
      (i) => cpp`
        const auto index = ${widened(dtypeOf(inputs[0]!), index)};
        const auto hot = index < 0 ? index + ${k.dim(depth)} : index;
        ${movedOutput(k)}[${i}] = ${values}[hot == static_cast<int64_t>(i1) ? 1 : 0];
      `,
    );
  },
});
