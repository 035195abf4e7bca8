import { Cpp, cpp, join } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import { type Dim, eq, mul, type Shape, same, select } from '../../src/ir/dim.js';
import { denseStrides, mergeAxes } from './loop.js';

/** How products of matrices with broadcast batch axes are run: loops around a batch of equal products. */
export interface ProductSchedule {
  /** Outer loops: extents, and the steps of A in elements, of B in matrices. */
  readonly outer: readonly { readonly extent: Dim; readonly a: Dim; readonly b: Dim }[];
  readonly batch: Dim;
  readonly m: Dim;
  readonly aRow: Dim;
  readonly aBatch: Dim;
  readonly bBatch: Dim;
}

/** Steps of an operand along the batch axes of the result: 0 where it is broadcast. */
function batchSteps(out: Shape, own: Shape, unit: Dim): readonly Dim[] {
  const strides = denseStrides(own);
  return out.map((d, i): Dim => {
    const at = i - (out.length - own.length);
    const extent = at < 0 ? 1 : own[at]!;
    if (extent === 1) return 0;
    const step = mul(strides[at]!, unit);
    return same(extent, d) ? step : select(eq(extent, 1), 0, step);
  });
}

export interface ProductShapes {
  readonly a: Shape;
  readonly b: Shape;
  readonly out: Shape;
  /** Rows of a product, and the extent it contracts. */
  readonly m: Dim;
  readonly k: Dim;
}

/** Joins axes: rows that B does not tell apart become rows of one product. `aRow` is A's step from row to row. */
export function scheduleProducts({ a, b, out, m, k }: ProductShapes, aRow: Dim): ProductSchedule {
  const batch = out.slice(0, -2);
  const aSteps = [...batchSteps(batch, a.slice(0, -2), mul(m, k)), aRow];
  const bSteps = [...batchSteps(batch, b.slice(0, -2), 1), 0];
  const rows = denseStrides([...batch, m]);
  const nest = mergeAxes([...batch, m], [aSteps, bSteps, rows]);
  const axes = nest.extents.map((extent, i) => ({
    extent,
    a: nest.strides[0]![i]!,
    b: nest.strides[1]![i]!,
  }));
  const last = axes.at(-1)!;
  const rowAxis = last.b === 0 ? axes.pop()! : { extent: 1, a: 0, b: 0 };
  const batchAxis = axes.pop() ?? { extent: 1, a: 0, b: 0 };
  return {
    outer: axes,
    batch: batchAxis.extent,
    m: rowAxis.extent,
    aRow: rowAxis.a,
    aBatch: batchAxis.a,
    bBatch: batchAxis.b,
  };
}

/** The outer loops around `call`, which sees the offsets of A (elements) and B (matrices) and the first row. */
export function productLoops(
  s: ProductSchedule,
  k: KernelBuilder,
  call: (a: Cpp, b: Cpp, row: Cpp) => Cpp,
): Cpp {
  if (s.outer.length === 0) return call(cpp`0`, cpp`0`, cpp`0`);
  const inner = call(cpp`a_at`, cpp`b_at`, cpp`row_at`);
  const names = s.outer.map((_, i) => new Cpp(`i${i}`));
  const sum = (steps: readonly Dim[]): Cpp =>
    join(
      names.map((n, i) => cpp`${n} * ${k.fresh(steps[i]!)}`),
      ' + ',
    );
  const index = names
    .slice(1)
    .reduce((at, n, i) => cpp`(${at}) * ${k.fresh(s.outer[i + 1]!.extent)} + ${n}`, names[0]!);
  const body = cpp`
    const int64_t a_at = ${sum(s.outer.map((o) => o.a))};
    const int64_t b_at = ${sum(s.outer.map((o) => o.b))};
    const int64_t row_at = (${index}) * ${k.fresh(mul(s.batch, s.m))};
    ${inner}
  `;
  return names.reduceRight(
    (text, n, i) => cpp`
      for (int64_t ${n} = 0; ${n} < ${k.fresh(s.outer[i]!.extent)}; ${n}++) {
        ${text}
      }
    `,
    body,
  );
}
