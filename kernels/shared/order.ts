import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineTraits } from '../../codegen/kernel.js';
import { computeType } from '../../codegen/scalar-text.js';
import { type Dim, mul, numel, type Shape } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import { bitsOf, type DType, isFloat } from '../../src/ir/type.js';
import { atAxis } from '../../src/ops/strides.js';
import { topK } from '../../src/ops/top-k.js';

/** Extents in front of an axis, of it and behind it. */
export function aroundAxis(shape: Shape, axis: Dim): readonly [Dim, Dim, Dim] {
  const parts = (f: (d: number) => Shape): Dim =>
    atAxis(
      axis,
      shape.map((_, d) => numel(f(d))),
    );
  return [parts((d) => shape.slice(0, d)), parts((d) => [shape[d]!]), parts((d) => shape.slice(d + 1))];
}

/** Integers are summed without a sign, so that they wrap. */
export const sumType = (t: DType): Cpp =>
  isFloat(t) ? ctype[computeType(t)] : new Cpp(bitsOf[t] === 64 ? 'uint64_t' : 'uint32_t');

export const topKTraits = defineTraits({
  op: topK,
  work: ({ inputs }) => mul(8, numel(shapeOf(inputs[0]!))),
});

/** Fails where more elements are asked for than an axis turns out to have. */
export const countCheck = (count: Cpp, axis: Cpp): Cpp =>
  cpp`if (${count} < 0 || ${count} > ${axis}) return ctx.fail("TopK: more elements are asked for than there are");`;
