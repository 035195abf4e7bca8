import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { add, type Dim, eq, mul, numel, type Shape, same, select } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { literalOf } from '../../src/ir/literal.js';
import { isFloat, isInteger } from '../../src/ir/type.js';
import { det } from '../../src/ops/det.js';
import { einsum, extentsOf } from '../../src/ops/einsum.js';
import { denseStrides } from '../../src/ops/strides.js';
import { tfidf } from '../../src/ops/tfidf.js';
import { failUnless, refusePacked, requireEqual } from '../shared/elements.js';
import { table } from './table.js';

const mostAxes = 12;

type Einsum = Parameters<typeof einsum.toOnnx>[0]['attrs'];

/** The axes of a contraction, those that stay first, and every operand's step along each. */
export function einsumLoops(
  shapes: readonly Shape[],
  attrs: Einsum,
): { readonly extents: Shape; readonly kept: number; readonly strides: readonly Shape[] } {
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
export function einsumCheck(shapes: readonly Shape[], attrs: Einsum, arg: (d: Dim) => Cpp): Cpp | false {
  const extents = extentsOf(attrs.inputs, shapes);
  const fits = shapes.flatMap((shape, i) =>
    shape.flatMap((d, at) => {
      const n = extents.get(attrs.inputs[i]![at]!)!;
      return d === 1 || same(d, n) ? [] : [cpp`(${arg(d)} == 1 || ${arg(d)} == ${arg(n)})`];
    }),
  );
  return failUnless(fits, 'Einsum: an axis has two extents at once');
}

export const refuseEinsum = (
  node: Pick<Node<Einsum>, 'inputs' | 'outputs' | 'attrs'>,
): string | undefined => {
  const type = dtypeOf(node.outputs[0]!);
  if (new Set(node.attrs.inputs.flat()).size > mostAxes) return `it has more than ${mostAxes} axes`;
  return refusePacked(node) ?? (isFloat(type) || isInteger(type) ? undefined : `${type} has no products`);
};

export const einsumKernel = defineKernel({
  op: einsum,
  refuse: refuseEinsum,
  work: ({ inputs, attrs }) => mul(2, numel([...extentsOf(attrs.inputs, inputs.map(shapeOf)).values()])),
  emit: ({ inputs, attrs }, k) => {
    const { extents, kept, strides } = einsumLoops(inputs.map(shapeOf), attrs);
    const T = ctype[dtypeOf(inputs[0]!)];
    k.include('ait/algebra.h');
    return cpp`
      ${einsumCheck(inputs.map(shapeOf), attrs, (d) => k.arg(d))}
      ${table(k, 'extents', extents)}
      ${strides.map((s, i) => table(k, `strides${i}`, s))}
      const ${T}* const operands[] = {${join(
        inputs.map((_, i) => k.input(i)),
        ', ',
      )}};
      const int64_t* const strides[] = {${join(
        strides.map((_, i) => new Cpp(`strides${i}`)),
        ', ',
      )}};
      ait::einsum<${inputs.length}>(ctx, ${k.output()}, operands, ${kept}, ${extents.length - kept}, extents, strides);
    `;
  },
});

export const detKernel = defineKernel({
  op: det,
  refuse: refusePacked,
  work: ({ inputs }) => mul(numel(shapeOf(inputs[0]!)), shapeOf(inputs[0]!).at(-1)!),
  emit: ({ inputs }, k) => {
    const shape = shapeOf(inputs[0]!);
    k.include('ait/algebra.h');
    return cpp`
      ${requireEqual(k, [[shape.at(-1)!, shape.at(-2)!]], 'Det: a matrix is not square')}
      ait::det(ctx, ${k.output()}, ${k.input(0)}, ${k.arg(numel(shape.slice(0, -2)))}, ${k.arg(shape.at(-1)!)});
    `;
  },
});

export const tfidfKernel = defineKernel({
  op: tfidf,
  work: ({ inputs, attrs }) => mul(20 * (attrs.skips + 1), numel(shapeOf(inputs[0]!))),
  emit: ({ inputs, attrs: a }, k) => {
    const shape = shapeOf(inputs[0]!);
    const rows = k.arg(numel(shape.slice(0, -1)));
    const grams = a.grams.map(
      (g) => cpp`{${g.length}, ${g.columns.size}, ${k.weight(g.items)}, ${k.weight(g.columns)}},`,
    );
    const weights = a.weights.length > 0 && k.weight(literalOf('f32', [a.weights.length], a.weights));
    const count = a.mode === 'TF' || (a.mode === 'TFIDF' && !weights);
    const at = cpp`${k.output()}[i]`;
    const weight = weights ? cpp`${weights}[i % ${a.columns}]` : cpp`1.0f`;
    const weighted = a.mode === 'IDF' ? cpp`${at} > 0 ? ${weight} : 0.0f` : cpp`${at} * ${weight}`;
    k.include('ait/algebra.h');
    return cpp`
      const ait::Grams grams[] = {${grams.length > 0 ? grams : [cpp`{}`]}};
      ait::count_grams(ctx, ${k.output()}, ${k.input(0)}, ${rows}, ${k.arg(shape.at(-1) ?? 1)}, ${a.columns}, grams, ${grams.length}, ${a.skips});
      ${!count && cpp`for (int64_t i = 0; i < ${rows} * ${a.columns}; i++) ${at} = ${weighted};`}
    `;
  },
});
