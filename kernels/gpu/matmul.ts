import type { Cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { type Dim, mul, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { productExtents } from '../../src/ops/matmul.js';
import { type Matmul, matmulTraits, matmulUse } from '../shared/contractions.js';
import { batchAxes, scheduleProducts } from '../shared/product-schedule.js';
import { alignedInput, alignedOutput, withCopies } from './aligned.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { packedColumns, paddedRows, roundUp, wholeOf } from './packed-weights.js';
import { type MatrixOperand, productLaunches } from './product.js';
import { vectorWidth } from './vector-width.js';

export const matmulKernel = defineGpuKernel({
  ...matmulTraits,

  refuse: (node) => {
    const rank = shapeOf(node.outputs[0]!).length;
    return rank > 8 ? 'it has more than eight axes' : refuseFunctor(node, matmulUse(node));
  },

  emit: (node, k) => {
    const { inputs, outputs, attrs } = node;
    const [a, b, out] = [inputs[0]!, inputs[1]!, outputs[0]!].map(shapeOf) as [Shape, Shape, Shape];
    const { m, n, k: depth } = productExtents(a, b, attrs);
    const deep = !attrs.transA || m === 1;
    const schedule = scheduleProducts({ a, b, out, m, k: depth }, deep ? depth : 1);
    const right = rightOperand(node, k, depth, n);
    const outer = batchAxes(schedule).map((axis) => ({ ...axis, b: mul(axis.b, right.matrix) }));
    const t = dtypeOf(inputs[0]!);
    const steps = outer.map((x) => x.a);
    const pitch = deep ? (schedule.aRow === 0 ? depth : schedule.aRow) : m;
    const left: MatrixOperand = {
      text: alignedInput(k, 0),
      deep,
      pitch,
      vector: deep ? vectorWidth([t], depth, pitch, ...steps) : vectorWidth([t], m, ...steps),
    };
    return withCopies(
      k,
      productLaunches(
        {
          element: t,
          a: left,
          b: right.operand,
          rows: schedule.m,
          columns: n,
          depth,
          outer,
          result: alignedOutput(k),
          resultType: dtypeOf(outputs[0]!),
          epilogue: epilogueFunctor(node, k, matmulUse(node)),
        },
        k,
      ),
    );
  },
});

interface Right {
  readonly operand: MatrixOperand;
  /** Elements of one matrix. */
  readonly matrix: Dim;
}

/** B as it lies, or constants as columns along the depth. */
function rightOperand({ inputs, attrs }: Matmul, k: GpuBuilder, depth: Dim, n: Dim): Right {
  const v = inputs[1]!;
  const t = dtypeOf(v);
  const literal = constantOf(v);
  if (literal && typeof depth === 'number' && typeof n === 'number' && depth > 0) {
    const pitch = roundUp(depth, wholeOf(literal));
    const count = shapeOf(v)
      .slice(0, -2)
      .reduce<number>((a, d) => a * Number(d), 1);
    const text: Cpp = k.weight(packedColumns(literal, count, depth, n, attrs.transB));
    return {
      operand: { text, deep: true, pitch, vector: wholeOf(literal), lines: paddedRows(n), constant: true },
      matrix: n * pitch,
    };
  }
  const matrix = mul(n, depth);
  const deep = attrs.transB;
  const vector = vectorWidth([t], deep ? depth : n, matrix);
  return { operand: { text: alignedInput(k, 1), deep, pitch: deep ? depth : n, vector }, matrix };
}
