import { type Cpp, cpp } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { add, type Dim, eq, mul, numel, type Shape, same, select } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { isFloat, isInteger } from '../../src/ir/type.js';
import { det } from '../../src/ops/det.js';
import { einsum, extentsOf } from '../../src/ops/einsum.js';
import { denseStrides } from '../../src/ops/strides.js';
import { tfidf } from '../../src/ops/tfidf.js';
import { type Arguments, failUnless, refusePacked, requireEqual } from './elements.js';

type Einsum = Pick<NodeOf<typeof einsum>, 'inputs' | 'outputs' | 'attrs'>;

const mostAxes = 12;

export const einsumTraits = defineTraits({
  op: einsum,
  work: ({ inputs, attrs }) => mul(2, numel([...extentsOf(attrs.inputs, inputs.map(shapeOf)).values()])),
});

export function refuseEinsum(node: Einsum): string | undefined {
  const type = dtypeOf(node.outputs[0]!);
  if (new Set(node.attrs.inputs.flat()).size > mostAxes) return `it has more than ${mostAxes} axes`;
  return refusePacked(node) ?? (isFloat(type) || isInteger(type) ? undefined : `${type} has no products`);
}

/** The axes of a contraction, those that stay first, and every operand's step along each. */
export function einsumLoops({ inputs, attrs }: Pick<Einsum, 'inputs' | 'attrs'>): {
  readonly extents: Shape;
  readonly kept: number;
  readonly strides: readonly Shape[];
} {
  const shapes = inputs.map(shapeOf);
  const extents = extentsOf(attrs.inputs, shapes);
  const summed = [...new Set(attrs.inputs.flat())].filter((l) => !attrs.output.includes(l));
  const axes = [...attrs.output, ...summed];
  const strides = shapes.map((shape, i) => {
    const own = denseStrides(shape);
    return axes.map((l) =>
      attrs.inputs[i]!.reduce<Dim>((sum, label, d) => {
        if (label !== l || shape[d] === 1) return sum;
        const n = extents.get(l)!;
        return add(sum, same(shape[d]!, n) ? own[d]! : select(eq(shape[d]!, 1), 0, own[d]!));
      }, 0),
    );
  });
  return { extents: axes.map((l) => extents.get(l)!), kept: attrs.output.length, strides };
}

/** Fails a contraction whose operands turn out not to agree on an axis. */
export function einsumCheck({ inputs, attrs }: Pick<Einsum, 'inputs' | 'attrs'>, k: Arguments): Cpp | false {
  const shapes = inputs.map(shapeOf);
  const extents = extentsOf(attrs.inputs, shapes);
  const fits = shapes.flatMap((shape, i) =>
    shape.flatMap((d, at) => {
      const n = extents.get(attrs.inputs[i]![at]!)!;
      return d === 1 || same(d, n) ? [] : [cpp`(${k.arg(d)} == 1 || ${k.arg(d)} == ${k.arg(n)})`];
    }),
  );
  return failUnless(fits, 'Einsum: an axis has two extents at once');
}

export const detTraits = defineTraits({
  op: det,
  work: ({ inputs }) => mul(numel(shapeOf(inputs[0]!)), shapeOf(inputs[0]!).at(-1)!),
});

/** Fails where the last two axes turn out to differ. */
export const squareCheck = (shape: Shape, k: Arguments): Cpp | false =>
  requireEqual(k, [[shape.at(-1)!, shape.at(-2)!]], 'Det: a matrix is not square');

export const tfidfTraits = defineTraits({
  op: tfidf,
  work: ({ inputs, attrs }) => mul(20 * (attrs.skips + 1), numel(shapeOf(inputs[0]!))),
});
