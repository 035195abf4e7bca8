import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { literalOf } from '../../src/ir/literal.js';
import {
  detTraits,
  einsumCheck,
  einsumLoops,
  einsumTraits,
  refuseEinsum,
  squareCheck,
  tfidfTraits,
} from '../shared/algebra.js';
import { refusePacked } from '../shared/elements.js';
import { table } from './table.js';

export const einsumKernel = defineKernel({
  ...einsumTraits,
  refuse: refuseEinsum,
  emit: (node, k) => {
    const { inputs } = node;
    const { extents, kept, strides } = einsumLoops(node);
    const T = ctype[dtypeOf(inputs[0]!)];
    k.include('ait/algebra.h');
    return cpp`
      ${einsumCheck(node, k)}
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
  ...detTraits,
  refuse: refusePacked,
  emit: ({ inputs }, k) => {
    const shape = shapeOf(inputs[0]!);
    k.include('ait/algebra.h');
    return cpp`
      ${squareCheck(shape, k)}
      ait::det(ctx, ${k.output()}, ${k.input(0)}, ${k.arg(numel(shape.slice(0, -2)))}, ${k.arg(shape.at(-1)!)});
    `;
  },
});

export const tfidfKernel = defineKernel({
  ...tfidfTraits,
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
