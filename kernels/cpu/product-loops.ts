import { Cpp, cpp, join } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import { type Dim, mul } from '../../src/ir/dim.js';
import type { ProductSchedule } from '../shared/product-schedule.js';

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
