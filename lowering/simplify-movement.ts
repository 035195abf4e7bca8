import { add, type Dim, isStatic, lt, mul, type Shape, same, sameShape, sub } from '../src/ir/dim.js';
import { is, type Node, shapeOf, type Value } from '../src/ir/graph.js';
import { concat } from '../src/ops/concat.js';
import { constant } from '../src/ops/constant.js';
import { expand, expanded } from '../src/ops/expand.js';
import { gather } from '../src/ops/gather.js';
import { type Build, builder } from '../src/ops/op.js';
import { pad } from '../src/ops/pad.js';
import { reshape } from '../src/ops/reshape.js';
import { slice, sliced, slicedAxis } from '../src/ops/slice.js';
import { transpose } from '../src/ops/transpose.js';
import { literalAt, slicedLiteral, splatOf, transposed } from './literals.js';
import { composed, isIdentity, movesNothing } from './permutations.js';
import { on } from './steps.js';

const from = (v: Value): Value => v.node.inputs[0]!;
const literalNode = (b: Build, value: ReturnType<typeof literalAt>): Value | undefined =>
  value && b(constant, [], { value });

export const transposedBy = (b: Build, x: Value, perm: readonly number[]): Value =>
  isIdentity(perm) ? x : b(transpose, [x], { perm });

const simplifyTranspose = on(transpose, (node) => {
  const [x] = node.inputs;
  const { perm } = node.attrs;
  const b = builder(node.origin);
  if (isIdentity(perm)) return x;
  if (is(x!.node, transpose)) return transposedBy(b, from(x!), composed(perm, x!.node.attrs.perm));
  if (movesNothing(shapeOf(x!), perm)) return b(reshape, [x!], { shape: shapeOf(node.outputs[0]!) });
  const l = literalAt(x!);
  return l && literalNode(b, transposed(l, perm));
});

const simplifyReshape = on(reshape, (node) => {
  const [x] = node.inputs;
  const { shape } = node.attrs;
  const b = builder(node.origin);
  if (sameShape(shapeOf(x!), shape)) return x;
  if (is(x!.node, reshape)) return b(reshape, [from(x!)], { shape });
  const l = literalAt(x!);
  if (l && isStatic(shape)) return literalNode(b, l.reshaped(shape));
  // All elements are one: what they are arranged in does not matter.
  if (is(x!.node, expand) && shapeOf(from(x!)).every((d) => d === 1))
    return expanded(b, b(reshape, [from(x!)], { shape: [] }), shape);
  return undefined;
});

const simplifyExpand = on(expand, (node) => {
  const [x] = node.inputs;
  const { shape } = node.attrs;
  if (sameShape(shapeOf(x!), shape)) return x;
  return is(x!.node, expand) ? builder(node.origin)(expand, [from(x!)], { shape }) : undefined;
});

const simplifySlice = on(slice, (node) => {
  const [x] = node.inputs;
  const { starts, steps, shape } = node.attrs;
  const b = builder(node.origin);
  const whole = sliced(b, x!, starts, steps, shape);
  if (whole === x) return x;
  if (is(x!.node, slice)) {
    const inner = x!.node.attrs;
    return sliced(
      b,
      from(x!),
      starts.map((s, d) => add(inner.starts[d]!, mul(s, inner.steps[d]!))),
      steps.map((s, d) => mul(s, inner.steps[d]!)),
      shape,
    );
  }
  if (is(x!.node, concat)) return sliceOfConcat(node, x!.node, b);
  const l = literalAt(x!);
  return l && literalNode(b, slicedLiteral(l, starts, steps, shape));
});

/** A slice that lies in one operand of a concatenation is a slice of that operand. */
function sliceOfConcat(
  node: Node<{ starts: Shape; steps: Shape; shape: Shape }>,
  joined: Node<{ axis: number }>,
  b: Build,
): Value | undefined {
  const { starts, steps, shape } = node.attrs;
  const { axis } = joined.attrs;
  const [start, step, length] = [starts[axis]!, steps[axis]!, shape[axis]!];
  if (length === 0) return undefined;
  const last = add(start, mul(step, sub(length, 1)));
  let begin: Dim = 0;
  for (const v of joined.inputs) {
    const end: Dim = add(begin, shapeOf(v)[axis]!);
    const inside = (d: Dim): boolean => lt(d, begin) === 0 && lt(d, end) === 1;
    if (inside(start) && inside(last))
      return sliced(
        b,
        v,
        starts.map((s, d) => (d === axis ? sub(s, begin) : s)),
        steps,
        shape,
      );
    begin = end;
  }
  return undefined;
}

const simplifyConcat = on(concat, (node, readers) => {
  const { axis } = node.attrs;
  const b = builder(node.origin);
  if (node.inputs.length === 1) return node.inputs[0];
  const flat = node.inputs.flatMap((v) =>
    is(v.node, concat) && v.node.attrs.axis === axis && readers(v) === 1 ? v.node.inputs : [v],
  );
  const joined = joinedSlices(flat, axis).filter((v) => shapeOf(v)[axis] !== 0);
  if (joined.length === 0 || joined.length === node.inputs.length) return undefined;
  return joined.length === 1 ? joined[0] : b(concat, joined, { axis });
});

/** Neighbouring slices of one value that follow one another are one slice. */
function joinedSlices(inputs: readonly Value[], axis: number): readonly Value[] {
  const out: Value[] = [];
  for (const v of inputs) {
    const last = out.at(-1);
    const both = last && is(last.node, slice) && is(v.node, slice) && from(last) === from(v);
    if (!both || !is(last.node, slice) || !is(v.node, slice)) {
      out.push(v);
      continue;
    }
    const [a, c] = [last.node.attrs, v.node.attrs];
    const follows = a.starts.every((s, d) =>
      d === axis
        ? a.steps[d] === 1 && c.steps[d] === 1 && same(add(s, a.shape[d]!), c.starts[d]!)
        : same(s, c.starts[d]!) && same(a.steps[d]!, c.steps[d]!) && same(a.shape[d]!, c.shape[d]!),
    );
    if (!follows) {
      out.push(v);
      continue;
    }
    const shape = a.shape.map((n, d) => (d === axis ? add(n, c.shape[d]!) : n));
    out[out.length - 1] = sliced(builder(v.node.origin), from(v), a.starts, a.steps, shape);
  }
  return out;
}

const isZero = (v: Value | undefined): boolean => {
  const l = v && literalAt(v);
  return l !== undefined && Object.is(Number(splatOf(l)), 0);
};

const simplifyPad = on(pad, (node) => {
  const [x, value] = node.inputs;
  const { before, after, mode } = node.attrs;
  if ([...before, ...after].every((d) => d === 0)) return x;
  return isZero(value) ? builder(node.origin)(pad, [x!], { before, after, mode }) : undefined;
});

/** Indices in even steps are a slice. */
const simplifyGather = on(gather, (node) => {
  const [x, indices] = node.inputs;
  const { axis } = node.attrs;
  const l = literalAt(indices!);
  const n = shapeOf(x!)[axis];
  if (!l || l.size === 0 || l.size > 1 << 16 || typeof n !== 'number') return undefined;
  const all = l.numbers();
  if (all.some((i) => i < -n || i >= n)) return undefined;
  const at = all.map((i) => (i < 0 ? i + n : i));
  const step = at.length > 1 ? at[1]! - at[0]! : 1;
  if (step === 0 || at.some((i, k) => i !== at[0]! + k * step)) return undefined;
  const b = builder(node.origin);
  const part =
    step === 1
      ? slicedAxis(b, x!, axis, at[0]!, at.length)
      : sliced(
          b,
          x!,
          shapeOf(x!).map((_, d) => (d === axis ? at[0]! : 0)),
          shapeOf(x!).map((_, d) => (d === axis ? step : 1)),
          shapeOf(x!).map((e, d) => (d === axis ? at.length : e)),
        );
  return b(reshape, [part], { shape: shapeOf(node.outputs[0]!) });
});

/** The steps that remove, merge or execute at once what only moves elements. */
export const simplifyMovement = [
  simplifyTranspose,
  simplifyReshape,
  simplifyExpand,
  simplifySlice,
  simplifyConcat,
  simplifyPad,
  simplifyGather,
];
