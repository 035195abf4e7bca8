import { type Dim, numel } from '../../ir/dim.js';
import { shapeOf } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { einsum } from '../einsum.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { multiplied, typed } from './products.js';
import { permuted, reshaped } from './shapes.js';

/** The labels of an equation; axes of an ellipsis are -1, -2, … from the back. */
const einsumOf: AtenConverter = (n, b) => {
  const values = n.tensors('tensors').map((v) => castTo(b, v, n.result().dtype));
  const equation = n.text('equation').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const terms = left.split(',');
  if (terms.length !== values.length)
    return n.refuse(`"${equation}" names ${terms.length} tensors, not ${values.length}`);
  const inputs = terms.map((term, i) => labels(term, shapeOf(values[i]!).length));
  const most = Math.max(0, ...inputs.flatMap((ls) => ls.filter((l) => l < 0).map((l) => -l)));
  const once = [...new Set(inputs.flat())]
    .filter((l) => l > 0 && inputs.flat().filter((x) => x === l).length === 1)
    .sort((p, q) => p - q);
  const spread = Array.from({ length: most }, (_, i) => i - most);
  const output =
    right === undefined
      ? [...spread, ...once]
      : labels(right, right.replace('...', '').length + (right.includes('...') ? most : 0));
  return b(einsum, values, { inputs, output });
};

function labels(term: string, rank: number): readonly number[] {
  const dots = term.indexOf('...');
  const codes = (s: string): readonly number[] => [...s].map((c) => c.charCodeAt(0));
  if (dots < 0) return codes(term);
  const [before, after] = [codes(term.slice(0, dots)), codes(term.slice(dots + 3))];
  const count = rank - before.length - after.length;
  return [...before, ...Array.from({ length: count }, (_, i) => i - count), ...after];
}

/** Sums over pairs of axes, as one product of matrices. */
const tensordot: AtenConverter = (n, b) => {
  const [x, y] = [typed(n, b, 'self'), typed(n, b, 'other')];
  const sums = [n.ints('dims_self'), n.ints('dims_other')];
  const sides = [x, y].map((v, i) => {
    const rank = shapeOf(v).length;
    const over = sums[i]!.map((d) => (d < 0 ? d + rank : d));
    const kept = shapeOf(v).flatMap((_, d) => (over.includes(d) ? [] : [d]));
    const at = (axes: readonly number[]): readonly Dim[] => axes.map((d) => shapeOf(v)[d]!);
    const turned = permuted(b, v, i === 0 ? [...kept, ...over] : [...over, ...kept]);
    const [free, summed] = [numel(at(kept)), numel(at(over))];
    return { matrix: reshaped(b, turned, i === 0 ? [free, summed] : [summed, free]), kept: at(kept) };
  });
  const [left, right] = [sides[0]!, sides[1]!];
  return reshaped(b, multiplied(b, left.matrix, right.matrix), [...left.kept, ...right.kept]);
};

export const sumsOfProducts: AtenMap = {
  einsum: einsumOf,
  tensordot,
};
