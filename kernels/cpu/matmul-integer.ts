import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import { type Dim, mul, numel, type Shape, sameShape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { type MatmulIntegerAttrs, matmulInteger } from '../../src/ops/matmul-integer.js';
import { type ProductShapes, scheduleProducts } from '../shared/product-schedule.js';
import { integerFunctor, refuseIntegerFunctor } from './integer-epilogue.js';
import { packedByteMatrices, qGroup } from './packed-bytes.js';
import { productLoops } from './product-loops.js';
import { Scratch } from './scratch.js';

export type MatmulInteger = Node<MatmulIntegerAttrs>;

export const isOne = (s: Shape): boolean => s.every((d) => d === 1);

/** Zero points of A: one, or one for each row of the result. */
const perRow = ({ inputs, outputs }: MatmulInteger): boolean => {
  const rows = shapeOf(outputs[0]!).slice(0, -1);
  const points = shapeOf(inputs[2]!);
  return points.at(-1) === 1 && sameShape(points.slice(0, -1), rows);
};

const perColumn = ({ inputs, outputs }: MatmulInteger): boolean => {
  const points = shapeOf(inputs[3]!);
  const columns = shapeOf(outputs[0]!).at(-1)!;
  return isOne(points.slice(0, -1)) && points.length > 0 && sameShape(points.slice(-1), [columns]);
};

/** Why no kernel takes a product's zero points, if none does. */
export function refusePoints(node: MatmulInteger): string | undefined {
  if (!isOne(shapeOf(node.inputs[2]!)) && !perRow(node)) return 'its zero points of A are not one a row';
  if (!isOne(shapeOf(node.inputs[3]!)) && !perColumn(node))
    return 'its zero points of B are not one a column';
  return undefined;
}

export const matmulIntegerKernel = defineKernel({
  op: matmulInteger,

  refuse: (node) => refusePoints(node) ?? refuseIntegerFunctor(node, 'NXC'),

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
      cpp`ait::pack_q_matrices(ctx, ${k.fresh(matrices)}, ${contracted}, ${columns}, ${k.input(1)}, ${new Cpp(String(attrs.transB))}, ${panels});`,
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
