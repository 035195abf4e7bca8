import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import { type Dim, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { matmulInteger } from '../../src/ops/matmul-integer.js';
import { flag } from '../shared/elements.js';
import { type ProductShapes, scheduleProducts } from '../shared/product-schedule.js';
import { isOne, type MatmulInteger, refuseMatmulPoints } from '../shared/zero-points.js';
import { integerFunctor, refuseIntegerFunctor } from './integer-epilogue.js';
import { packedByteMatrices, qGroup } from './packed-bytes.js';
import { productLoops } from './product-loops.js';
import { Scratch } from './scratch.js';

export const matmulIntegerKernel = defineKernel({
  op: matmulInteger,

  refuse: (node) => refuseMatmulPoints(node) ?? refuseIntegerFunctor(node, 'NXC'),

  work: ({ inputs, outputs }) => mul(numel(shapeOf(outputs[0]!)), shapeOf(inputs[0]!).at(-1)!),

  emit: (node, k) => product(node, k),
});

function product(node: MatmulInteger, k: KernelBuilder): Cpp {
  k.include('ait/q_operands.h');
  const { inputs, outputs, attrs } = node;
  const [a, b] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const [m, depth]: readonly Dim[] = a.slice(-2);
  const n = b.at(attrs.transB ? -2 : -1)!;
  const shapes: ProductShapes = { a, b, out: shapeOf(outputs[0]!), m: m!, k: depth! };
  const schedule = scheduleProducts(shapes, depth!);
  const [columns, contracted] = [k.fresh(n), k.fresh(depth!)];
  const scratch = new Scratch();
  const before: Cpp[] = [];

  const zeros = [2, 3].map((i) => {
    const v = inputs[i]!;
    if (isOne(shapeOf(v))) return { one: cpp`static_cast<int32_t>(${k.input(i)}[0])`, many: cpp`nullptr` };
    const count = k.fresh(numel(shapeOf(v)));
    const room = scratch.floats(i === 2 ? 'a_points' : 'b_points', count);
    return { one: cpp`0`, many: cpp`ait::widen_points(${k.input(i)}, ${count}, ${room})` };
  });
  const literal = constantOf(inputs[1]!);
  const matrices = numel(b.slice(0, -2));
  const tb = ctype[dtypeOf(inputs[1]!)];
  let w: Cpp;
  if (literal) {
    const packed = packedByteMatrices(literal, {
      count: Number(matrices),
      k: Number(depth),
      n: Number(n),
      transposed: attrs.transB,
      width: gemmTile(k.target).columns,
      group: qGroup(k.target),
    });
    w = cpp`reinterpret_cast<const uint8_t*>(${k.weight(packed)})`;
  } else {
    const panels = scratch.floats(
      'panels',
      cpp`${k.fresh(matrices)} * ait::packed_qb_bytes(${contracted}, ${columns}) / 4`,
    );
    before.push(
      cpp`ait::pack_q_matrices(ctx, ${k.fresh(matrices)}, ${contracted}, ${columns}, ${k.input(1)}, ${flag(attrs.transB)}, ${panels});`,
    );
    w = cpp`reinterpret_cast<const uint8_t*>(${panels})`;
  }
  const functor = integerFunctor(node, k, 'NXC');
  const sizes = [k.fresh(schedule.batch), k.fresh(schedule.m), columns, contracted];
  const [aBatch, bBatch] = [k.fresh(schedule.aBatch), k.fresh(schedule.bBatch)];
  const call = (aAt: Cpp, bAt: Cpp, row: Cpp): Cpp => {
    const from = cpp`${k.input(0)} + ${aAt}`;
    const panels = cpp`packed + ${bAt} * ait::packed_qb_bytes(${contracted}, ${columns})`;
    const to = cpp`${k.output()} + ${row} * ${columns}`;
    const args = [...sizes, from, aBatch, panels, bBatch, cpp`zeros`, to, row, cpp`epilogue`];
    return cpp`ait::q_matmul<${tb}>(ctx, ${join(args, ', ')});`;
  };
  const body = productLoops(schedule, k, call);
  return cpp`
    ${scratch.text()}
    ${before}
    const uint8_t* packed = ${w};
    const ait::QZeros zeros{${join([zeros[0]!.one, zeros[1]!.one, zeros[0]!.many, zeros[1]!.many], ', ')}};
    const auto epilogue = ${functor};
    ${body}
  `;
}
