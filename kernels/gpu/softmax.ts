import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { isFloat } from '../../src/ir/type.js';
import { softmaxTraits } from '../shared/norm.js';
import { alignedInput, alignedOutput, withCopies } from './aligned.js';
import { refuseTypes } from './pointwise.js';
import { columnGroups, rowGroups } from './row-groups.js';
import { vectorWidth } from './vector-width.js';

export const softmaxKernel = defineGpuKernel({
  ...softmaxTraits,

  refuse: (node) => {
    const t = dtypeOf(node.inputs[0]!);
    if (!isFloat(t)) return `there is no softmax of ${t}`;
    if (t === 'f64' && node.attrs.form !== 'hardmax') return 'softmax computes in f32';
    return refuseTypes(node);
  },

  emit: ({ inputs, attrs: { form, axis } }, k) => {
    k.include(form === 'hardmax' ? 'ait/gpu/hardmax.h' : 'ait/gpu/softmax.h');
    const shape = shapeOf(inputs[0]!);
    const sizes = [numel(shape.slice(0, axis)), shape[axis]!, numel(shape.slice(axis + 1))] as const;
    if (form === 'hardmax') return hardmaxLaunch(sizes, k);
    const kind = new Cpp(`ait::gpu::SoftmaxForm::${form === 'log' ? 'Log' : 'Softmax'}`);
    return sizes[2] === 1 ? rowLaunches(kind, sizes, k) : columnLaunch(kind, sizes, k);
  },
});

const ends = (k: GpuBuilder): Cpp => cpp`ait::gpu::read(${k.input(0)}), ait::gpu::write(${k.output()})`;

type Sizes = readonly [Dim, Dim, Dim];

function rowLaunches(kind: Cpp, [outer, axis]: Sizes, k: GpuBuilder): readonly Launch[] {
  const types = [dtypeOf(k.node.inputs[0]!)];
  const [rows, n] = [k.arg(outer), k.arg(axis)];
  const held = rowGroups(types, outer, axis, k.target);
  if (held)
    return withCopies(k, [
      {
        body: cpp`ait::gpu::softmax_rows<${kind}, ${held.group}, ${held.items}, ${held.vector}>(${rows}, static_cast<int>(${n}), ait::gpu::read_aligned(${alignedInput(k, 0)}), ait::gpu::write_aligned(${alignedOutput(k)}));`,
        grid: [cpp`ait::gpu::blocks(${rows}, ${held.rows})`],
        threads: held.threads,
      },
    ]);
  const threads = 1024;
  return [
    {
      body: cpp`ait::gpu::softmax_long_rows<${kind}, ${threads}, ${vectorWidth(types, axis)}>(${n}, ${ends(k)});`,
      grid: [rows],
      threads,
    },
  ];
}

function columnLaunch(kind: Cpp, [outer, axis, inner]: Sizes, k: GpuBuilder): Launch {
  const { columns, vector, threads } = columnGroups([dtypeOf(k.node.inputs[0]!)], outer, inner);
  const [o, n, i] = [k.arg(outer), k.arg(axis), k.arg(inner)];
  return {
    body: cpp`ait::gpu::softmax_columns<${kind}, ${columns}, ${threads}, ${vector}>(${n}, ${i}, ${ends(k)});`,
    grid: [cpp`${o} * ait::gpu::blocks(${i}, ${columns * vector})`],
    threads,
  };
}

function hardmaxLaunch([outer, axis, inner]: Sizes, k: GpuBuilder): Launch {
  const element = ctype[computeType(dtypeOf(k.node.inputs[0]!))];
  const [o, n, i] = [k.arg(outer), k.arg(axis), k.arg(inner)];
  return {
    body: cpp`ait::gpu::hardmax<${element}, 128>(${n}, ${i}, ${ends(k)});`,
    grid: [cpp`${o} * ${i}`],
    threads: 128,
  };
}
