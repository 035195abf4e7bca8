import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { add, type Dim, floordiv, mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { matmulInteger } from '../../src/ops/matmul-integer.js';
import { batchAxes, scheduleProducts } from '../shared/product-schedule.js';
import { type MatmulInteger, refuseMatmulPoints } from '../shared/zero-points.js';
import { alignedInput, alignedOutput, withCopies } from './aligned.js';
import {
  asBytes,
  byteUnit,
  filledBytes,
  packedBytes,
  pointsOf,
  type RightPoints,
  refuseByteEpilogue,
} from './byte-operands.js';
import { signedWeights } from './byte-weights.js';
import { packedColumns, paddedRows } from './packed-weights.js';
import { type MatrixOperand, productLaunches } from './product.js';
import { vectorWidth } from './vector-width.js';

const whole = (d: Dim): Dim => mul(16, floordiv(add(d, 15), 16));

export const matmulIntegerKernel = defineGpuKernel({
  op: matmulInteger,

  refuse: (node) => {
    const rank = shapeOf(node.outputs[0]!).length;
    return rank > 8
      ? 'it has more than eight axes'
      : (refuseMatmulPoints(node) ?? refuseByteEpilogue(node, 'NXC'));
  },

  work: ({ inputs, outputs }) => mul(2, numel(shapeOf(outputs[0]!)), shapeOf(inputs[0]!).at(-1)!),

  emit: (node, k) => {
    const { inputs, outputs, attrs } = node;
    const [a, b, out] = [shapeOf(inputs[0]!), shapeOf(inputs[1]!), shapeOf(outputs[0]!)];
    const depth = a.at(-1)!;
    const n = b.at(attrs.transB ? -2 : -1)!;
    // Bytes are copied by four at least.
    const odd = vectorWidth(['i8'], depth) < 4;
    const pitch = odd ? whole(depth) : depth;
    const schedule = scheduleProducts({ a, b, out, m: a.at(-2)!, k: pitch }, pitch);
    const before: Launch[] = [];
    const right = rightOperand(node, k, depth, n);
    before.push(...right.points.before);
    const outer = batchAxes(schedule).map((axis) => ({ ...axis, b: mul(axis.b, right.matrix) }));
    let text = asBytes(odd ? k.input(0) : alignedInput(k, 0));
    if (odd) {
      const filled = filledBytes(k, numel(a.slice(0, -1)), [1, depth, pitch], 16, undefined);
      before.push(filled.before);
      text = filled.text;
    }
    const left: MatrixOperand = {
      text,
      deep: true,
      pitch: schedule.aRow === 0 ? pitch : schedule.aRow,
      vector: odd ? 16 : vectorWidth(['i8'], depth, ...outer.map((x) => x.a)),
    };
    const matrix = { size: right.matrix, columns: n };
    const { unit, epilogue } = byteUnit(node, k, 'NXC', right.points, k.fresh(depth), matrix);
    const launches = productLaunches(
      {
        element: 'i8',
        a: left,
        b: right.operand,
        rows: schedule.m,
        columns: n,
        depth,
        outer,
        result: alignedOutput(k),
        resultType: dtypeOf(outputs[0]!),
        epilogue,
        unit,
      },
      k,
    );
    return withCopies(k, [...before, ...launches]);
  },
});

interface Right {
  readonly operand: MatrixOperand;
  readonly points: RightPoints;
  /** Elements of one matrix. */
  readonly matrix: Dim;
}

/** B as signed bytes in columns along the depth. */
function rightOperand({ inputs, attrs }: MatmulInteger, k: GpuBuilder, depth: Dim, n: Dim): Right {
  const b = shapeOf(inputs[1]!);
  const literal = constantOf(inputs[1]!);
  const pitch = whole(depth);
  const matrix = mul(n, pitch);
  const batch = numel(b.slice(0, -2));
  if (literal && typeof depth === 'number' && typeof n === 'number' && depth > 0) {
    const count = Number(batch);
    const size = depth * n;
    const lines = {
      layout: `matrices ${n} ${attrs.transB}`,
      count: count * n,
      points: n,
      of: attrs.transB
        ? (i: number) => Math.floor(i / depth)
        : (i: number) => Math.floor(i / size) * n + (i % n),
    };
    const weights = signedWeights(literal, constantOf(inputs[3]!), lines);
    const text = k.weight(packedColumns(weights.signed, count, depth, n, attrs.transB));
    return {
      operand: { text, deep: true, pitch, vector: 16, lines: paddedRows(n) },
      points: pointsOf(k, weights, lines, depth),
      matrix,
    };
  }
  const points = packedBytes(k, {
    matrices: batch,
    count: n,
    lineStep: attrs.transB ? depth : 1,
    matrixStep: mul(n, depth),
    outer: 1,
    inner: depth,
    padded: depth,
    outerStep: 0,
    innerStep: attrs.transB ? 1 : n,
    pitch,
  });
  return { operand: { text: points.packed, deep: true, pitch, vector: 16 }, points, matrix };
}
