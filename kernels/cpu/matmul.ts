import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { gemmTile } from '../../codegen/target.js';
import { mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import { productExtents } from '../../src/ops/matmul.js';
import { denseStrides } from '../../src/ops/strides.js';
import { type Matmul, matmulTraits, matmulUse } from '../shared/contractions.js';
import { flag } from '../shared/elements.js';
import {
  batchAxes,
  type ProductSchedule,
  type ProductShapes,
  scheduleProducts,
} from '../shared/product-schedule.js';
import { epilogueFunctor, isNarrow, refuseFunctor } from './epilogue.js';
import { packedMatrices } from './packed-weights.js';
import { productLoops } from './product-loops.js';
import { Scratch } from './scratch.js';

export const matmulKernel = defineKernel({
  ...matmulTraits,

  refuse: (node) => {
    const t = dtypeOf(node.inputs[0]!);
    if (bitsOf[t] < 16 || /^f8|^f4/.test(t)) return `${t} has no matrix product`;
    return refuseFunctor(node, matmulUse(node));
  },

  emit: (node, k) => {
    const [a, b] = node.inputs as [Value, Value];
    if (computeType(dtypeOf(a)) !== 'f32') return plainProduct(node, k);
    const inPlace = [a, b, node.outputs[0]!].every((v) => dtypeOf(v) === 'f32') && !constantOf(b);
    return inPlace && activationSchedule(node).outer.length < 4
      ? activationProduct(node, k)
      : panelProduct(node, k);
  },
});

const shapesOf = ({ inputs, outputs, attrs }: Matmul): ProductShapes => {
  const [a, b] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  return { a, b, out: shapeOf(outputs[0]!), ...productExtents(a, b, attrs) };
};

function panelProduct(node: Matmul, k: KernelBuilder): Cpp {
  k.include('ait/matmul.h');
  const { inputs, outputs, attrs } = node;
  const [a, b] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const extents = productExtents(a, b, attrs);
  const schedule = scheduleProducts(shapesOf(node), extents.k);
  const scratch = new Scratch();
  const before: Cpp[] = [];
  const [depth, columns] = [k.fresh(extents.k), k.fresh(extents.n)];

  let x = k.input(0);
  if (attrs.transA || isNarrow(dtypeOf(inputs[0]!))) {
    const rows = scratch.floats('rows', k.fresh(numel(a)));
    before.push(
      attrs.transA
        ? cpp`ait::transpose_matrices(ctx, ${k.fresh(numel(a.slice(0, -2)))}, ${depth}, ${k.fresh(extents.m)}, ${x}, ${rows});`
        : cpp`ait::convert(ctx, ${x}, ${k.fresh(numel(a))}, ${rows});`,
    );
    x = rows;
  }

  const literal = constantOf(inputs[1]!);
  const matrices = numel(b.slice(0, -2));
  let w: Cpp;
  if (literal) {
    const width = gemmTile(k.target).columns;
    const [kk, nn] = [extents.k, extents.n].map(Number) as [number, number];
    w = k.weight(packedMatrices(literal, Number(matrices), kk, nn, attrs.transB, width));
  } else {
    let source = k.input(1);
    const panels = scratch.floats(
      'panels',
      cpp`${k.fresh(matrices)} * ait::packed_b_size(${depth}, ${columns})`,
    );
    if (isNarrow(dtypeOf(inputs[1]!))) {
      const wide = scratch.floats('wide', k.fresh(numel(b)));
      before.push(cpp`ait::convert(ctx, ${source}, ${k.fresh(numel(b))}, ${wide});`);
      source = wide;
    }
    before.push(
      cpp`ait::pack_matrices(ctx, ${k.fresh(matrices)}, ${depth}, ${columns}, ${source}, ${flag(attrs.transB)}, ${panels});`,
    );
    w = panels;
  }

  let y = k.output();
  const after: Cpp[] = [];
  if (isNarrow(dtypeOf(outputs[0]!))) {
    const sums = scratch.floats('sums', k.fresh(numel(shapeOf(outputs[0]!))));
    after.push(cpp`ait::convert(ctx, ${sums}, ${k.fresh(numel(shapeOf(outputs[0]!)))}, ${y});`);
    y = sums;
  }

  const functor = epilogueFunctor(node, k, matmulUse(node));
  const panel = cpp`ait::packed_b_size(${depth}, ${columns})`;
  const call = (aAt: Cpp, bAt: Cpp, row: Cpp): Cpp => {
    const products = cpp`ait::Products{${k.fresh(schedule.batch)}, ${k.fresh(schedule.m)}, ${columns}, ${depth}, ${k.fresh(schedule.aRow)}, ${k.fresh(schedule.aBatch)}, ${k.fresh(schedule.bBatch)} * ${panel}}`;
    if (row.text === '0') return cpp`ait::matmul(ctx, ${products}, ${x}, ${w}, ${y}, epilogue);`;
    return cpp`ait::matmul(ctx, ${products}, ${x} + ${aAt}, ${w} + ${bAt} * ${panel}, ${y} + ${row} * ${columns}, ait::shifted(epilogue, ${row}));`;
  };
  return cpp`
    ${scratch.text()}
    ${before}
    const auto epilogue = ${functor};
    ${productLoops(schedule, k, call)}
    ${after}
  `;
}

const activationSchedule = (node: Matmul): ProductSchedule => {
  const { transA } = node.attrs;
  const { k } = productExtents(shapeOf(node.inputs[0]!), shapeOf(node.inputs[1]!), node.attrs);
  return scheduleProducts(shapesOf(node), transA ? 1 : k);
};

/** Both matrices are computed by the model and read where they lie. */
function activationProduct(node: Matmul, k: KernelBuilder): Cpp {
  k.include('ait/gemm_batched.h');
  const { inputs, attrs } = node;
  const { m, n, k: depth } = productExtents(shapeOf(inputs[0]!), shapeOf(inputs[1]!), attrs);
  const s = activationSchedule(node);
  const columns = k.fresh(n);
  const matrix = k.fresh(mul(n, depth));
  const axes = batchAxes(s);
  const rows = denseStrides([...axes.map((x) => x.extent), s.m]);
  const list = (xs: readonly Cpp[]): Cpp => cpp`{${join(xs, ', ')}}`;
  const shape = join(
    [
      cpp`${axes.length}`,
      list(axes.map((x) => k.fresh(x.extent))),
      list(axes.map((x) => k.fresh(x.a))),
      list(axes.map((x) => cpp`${k.fresh(x.b)} * ${matrix}`)),
      list(axes.map((_, i) => cpp`${k.fresh(rows[i]!)} * ${columns}`)),
    ],
    ', ',
  );
  const a = [k.input(0), k.fresh(s.aRow), k.fresh(attrs.transA ? m : 1)];
  const b = [k.input(1), ...(attrs.transB ? [cpp`1`, k.fresh(depth)] : [columns, cpp`1`])];
  const sizes = [k.fresh(s.m), columns, k.fresh(depth)];
  return cpp`
    const ait::BatchShape batch{${shape}};
    ait::batched_gemm(ctx, batch, ${join([...sizes, ...a, ...b, k.output(), columns], ', ')}, ${epilogueFunctor(node, k, matmulUse(node))});
  `;
}

function plainProduct(node: Matmul, k: KernelBuilder): Cpp {
  k.include('ait/matmul.h');
  const { inputs, attrs } = node;
  const [a, b] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!)];
  const { m, n, k: depth } = productExtents(a, b, attrs);
  const schedule = activationSchedule(node);
  const functor = epilogueFunctor(node, k, matmulUse(node));
  const [columns, matrix] = [k.fresh(n), k.fresh(mul(n, depth))];
  const [bK, bColumn] = attrs.transB ? [1, depth] : [n, 1];
  const call = (aAt: Cpp, bAt: Cpp, row: Cpp): Cpp => cpp`
    ait::plain_matmul(ctx, {${join(
      [
        k.fresh(schedule.batch),
        k.fresh(schedule.m),
        columns,
        k.fresh(depth),
        k.fresh(schedule.aRow),
        k.fresh(attrs.transA ? m : 1),
        k.fresh(schedule.aBatch),
        k.fresh(bK),
        k.fresh(bColumn),
        cpp`${k.fresh(schedule.bBatch)} * ${matrix}`,
      ],
      ', ',
    )}}, ${k.input(0)} + ${aAt}, ${k.input(1)} + ${bAt} * ${matrix}, ${k.output()} + ${row} * ${columns}, ait::shifted(epilogue, ${row}));
  `;
  return cpp`
    const auto epilogue = ${functor};
    ${productLoops(schedule, k, call)}
  `;
}
