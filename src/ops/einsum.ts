import { type Dim, numel, type Shape, same, show } from '../ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { matmul } from './matmul.js';
import { text } from './onnx-emitter.js';
import { type Build, type Converter, defineOp, type OpDef, sameDtype } from './op.js';
import { reshape } from './reshape.js';
import { transpose } from './transpose.js';

/** The names of a tensor's axes: letters are positive, the axes of an ellipsis are -1, -2, … from the back. */
export type Labels = readonly number[];

/** Sums of products over every label that the result lacks. */
export const einsum: OpDef<{ inputs: readonly Labels[]; output: Labels }> = defineOp({
  name: 'einsum',
  infer: (types, { inputs, output }) => {
    const extents = extentsOf(
      inputs,
      types.map((t) => t.shape),
    );
    return tensor(
      sameDtype('einsum', types),
      output.map((l) => extents.get(l)!),
    );
  },
  onnx: { Einsum: { 12: convert } },
  toOnnx: ({ attrs }, inputs, e) => {
    const names = new Map<number, string>();
    const name = (l: number): string => {
      const known = names.get(l) ?? letters[names.size]!;
      names.set(l, known);
      return known;
    };
    const spell = (ls: Labels): string => ls.map(name).join('');
    const left = attrs.inputs.map(spell).join(',');
    return e.one('Einsum', inputs, { equation: text(`${left}->${spell(attrs.output)}`) });
  },
});

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** The extent of each label; 1 gives way to another. */
export function extentsOf(inputs: readonly Labels[], shapes: readonly Shape[]): ReadonlyMap<number, Dim> {
  const extents = new Map<number, Dim>();
  inputs.forEach((labels, i) => {
    const shape = shapes[i]!;
    if (labels.length !== shape.length)
      throw new CompileError(
        'bad-einsum',
        `operand ${i} has ${shape.length} axes, the equation names ${labels.length}`,
      );
    labels.forEach((l, d) => {
      const [before, now] = [extents.get(l), shape[d]!];
      if (
        before === undefined ||
        before === 1 ||
        (typeof before !== 'number' && typeof now === 'number' && now !== 1)
      )
        extents.set(l, now);
      else if (typeof before === 'number' && typeof now === 'number' && now !== 1 && now !== before)
        throw new CompileError('bad-einsum', `an axis is ${show(before)} and ${show(now)} at once`);
    });
  });
  return extents;
}

function convert(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const values = Array.from({ length: n.inputCount }, (_, i) => n.input(i));
  const { inputs, output } = parse(
    n.string('equation'),
    values.map((v) => shapeOf(v).length),
  );
  return contracted(b, values, inputs, output);
}

/** The labels of an equation's operands and of its result. */
export function parse(
  equation: string,
  ranks: readonly number[],
): { readonly inputs: readonly Labels[]; readonly output: Labels } {
  const [left, right] = equation.replace(/\s/g, '').split('->') as [string, string | undefined];
  const terms = left.split(',');
  if (terms.length !== ranks.length)
    throw new CompileError(
      'bad-einsum',
      `"${equation}" is for ${terms.length} operands, not ${ranks.length}`,
    );
  const inputs = terms.map((term, i) => labelsOf(term, ranks[i]! - term.replace('...', '').length));
  const widest = Math.max(0, ...inputs.flat().map((l) => -l));
  if (right !== undefined) return { inputs, output: labelsOf(right, right.includes('...') ? widest : 0) };
  // Without an arrow: the ellipsis, then the letters that occur once, in order.
  const all = inputs.flat();
  const once = [...new Set(all.filter((l) => l > 0))].filter((l) => all.filter((x) => x === l).length === 1);
  return { inputs, output: [...ellipsis(widest), ...once.sort((p, q) => p - q)] };
}

const ellipsis = (rank: number): Labels => Array.from({ length: rank }, (_, i) => i - rank);

function labelsOf(term: string, rank: number): Labels {
  if (!/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(term))
    throw new CompileError('bad-einsum', `"${term}" does not name axes`);
  const [before, after] = term.split('...') as [string, string | undefined];
  const named = (s: string): Labels => [...s].map((c) => c.charCodeAt(0));
  return after === undefined ? named(before) : [...named(before), ...ellipsis(rank), ...named(after)];
}

/** Contracts operands two at a time, from the left. */
function contracted(b: Build, values: readonly Value[], inputs: readonly Labels[], output: Labels): Value {
  if (values.length <= 2) return pair(b, values, inputs, output);
  const later = new Set([...inputs.slice(2).flat(), ...output]);
  const kept = [...new Set(inputs.slice(0, 2).flat())].filter((l) => later.has(l));
  const first = pair(b, values.slice(0, 2), inputs.slice(0, 2), kept);
  return contracted(b, [first, ...values.slice(2)], [kept, ...inputs.slice(2)], output);
}

function pair(b: Build, values: readonly Value[], inputs: readonly Labels[], output: Labels): Value {
  const [only] = inputs;
  const distinct = inputs.every((ls) => new Set(ls).size === ls.length);
  if (values.length === 1 && distinct && only!.length === output.length)
    return permuted(b, values[0]!, only!, output);
  return (distinct && asProduct(b, values, inputs, output)) || b(einsum, values, { inputs, output });
}

const permuted = (b: Build, v: Value, from: Labels, to: Labels): Value =>
  from.every((l, i) => l === to[i]) ? v : b(transpose, [v], { perm: to.map((l) => from.indexOf(l)) });

/** A contraction that is a product of matrices: [batch, m, k] times [batch, k, n]. */
function asProduct(
  b: Build,
  values: readonly Value[],
  inputs: readonly Labels[],
  output: Labels,
): Value | undefined {
  const [x, y] = values;
  const [p, q] = inputs;
  if (!x || !y || !p || !q || !/^(f32|f16|bf16)$/.test(dtypeOf(x))) return undefined;
  const [left, right] = [extentsOf([p], [shapeOf(x)]), extentsOf([q], [shapeOf(y)])];
  const shared = p.filter((l) => q.includes(l));
  const inner = shared.filter((l) => !output.includes(l));
  const batch = shared.filter((l) => output.includes(l));
  const rows = p.filter((l) => !q.includes(l));
  const columns = q.filter((l) => !p.includes(l));
  const alone = [...rows, ...columns].some((l) => !output.includes(l));
  if (alone || inner.length === 0 || shared.some((l) => !same(left.get(l)!, right.get(l)!))) return undefined;
  const size = (ls: Labels, of: ReadonlyMap<number, Dim>): Dim => numel(ls.map((l) => of.get(l)!));
  const outer = batch.map((l) => left.get(l)!);
  const a = b(reshape, [permuted(b, x, p, [...batch, ...rows, ...inner])], {
    shape: [...outer, size(rows, left), size(inner, left)],
  });
  const c = b(reshape, [permuted(b, y, q, [...batch, ...inner, ...columns])], {
    shape: [...outer, size(inner, right), size(columns, right)],
  });
  const product = b(matmul, [a, c], { transA: false, transB: false });
  const apart = [...outer, ...rows.map((l) => left.get(l)!), ...columns.map((l) => right.get(l)!)];
  return permuted(b, b(reshape, [product], { shape: apart }), [...batch, ...rows, ...columns], output);
}
