import { type Cpp, cpp } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { add, type Dim, isStatic, numel, same, sameShape } from '../../src/ir/dim.js';
import { type Node, shapeOf } from '../../src/ir/graph.js';
import { concat } from '../../src/ops/concat.js';
import { expand } from '../../src/ops/expand.js';
import { slice } from '../../src/ops/slice.js';
import { stridedView } from '../../src/ops/strided-view.js';
import { denseStrides } from '../../src/ops/strides.js';
import { transpose } from '../../src/ops/transpose.js';
import { type Arguments, type Ends, failUnless, requireEqual } from './elements.js';

export const transposeTraits = defineTraits({
  op: transpose,
  // Moving only axes of extent 1 leaves every element where it was.
  alias: ({ inputs, attrs: { perm } }) => {
    const shape = shapeOf(inputs[0]!);
    const moved = perm.filter((p) => shape[p] !== 1);
    return moved.every((p, i) => i === 0 || moved[i - 1]! < p);
  },
});

/** A part whose elements follow one another in the input needs no copy. */
function contiguousPart(node: Node): { readonly offset: Dim } | undefined {
  const view = stridedView(node);
  const shape = shapeOf(node.outputs[0]!);
  const dense = denseStrides(shape);
  const inOrder = view?.strides.every((s, d) => shape[d] === 1 || same(s, dense[d]!));
  return view && inOrder ? { offset: view.offset } : undefined;
}

type Slice = NodeOf<typeof slice>;

/** Axes on which a part is taken that only the run knows to lie inside. */
const openAxes = ({ inputs, attrs: { starts, steps, shape } }: Slice): readonly number[] =>
  shapeOf(inputs[0]!).flatMap((n, d) => {
    const [start, length, step] = [starts[d]!, shape[d]!, steps[d]!];
    const whole = start === 0 && step === 1 && same(length, n);
    return whole || isStatic([n, start, length, step]) ? [] : [d];
  });

export const sliceTraits = defineTraits({
  op: slice,
  // Where the run decides the part, it also checks that the part lies inside.
  alias: (node) => (openAxes(node).length === 0 && contiguousPart(node)) || false,
});

/** Fails a slice whose part lies outside, where only the run knows it. */
export function insideCheck(node: Slice, k: Arguments): Cpp | false {
  const { inputs } = node;
  const { starts, steps, shape } = node.attrs;
  // Sizes that only the run knows may be anything, those of Split above all.
  const inside = openAxes(node).map((d) => {
    const [n, start, length, step] = [shapeOf(inputs[0]!)[d]!, starts[d]!, shape[d]!, steps[d]!];
    return cpp`ait::slice_within(${k.arg(start)}, ${k.arg(length)}, ${k.arg(step)}, ${k.arg(n)})`;
  });
  return failUnless(inside, 'Slice: the part lies outside of the tensor');
}

export const expandTraits = defineTraits({
  op: expand,
  alias: ({ inputs, outputs }) => {
    const from = shapeOf(inputs[0]!);
    const to = shapeOf(outputs[0]!);
    const lead = to.length - from.length;
    return to.slice(0, lead).every((d) => d === 1) && sameShape(to.slice(lead), from);
  },
});

/** Fails an expansion whose shapes turn out not to broadcast. */
export function broadcastCheck({ inputs, outputs }: Ends, k: Arguments): Cpp | false {
  const from = shapeOf(inputs[0]!);
  const to = shapeOf(outputs[0]!).slice(shapeOf(outputs[0]!).length - from.length);
  const fits = from.flatMap((n, d) =>
    n === 1 || same(n, to[d]!) ? [] : [cpp`(${k.arg(n)} == 1 || ${k.arg(n)} == ${k.arg(to[d]!)})`],
  );
  return failUnless(fits, 'Expand: the shapes do not broadcast');
}

export const concatTraits = defineTraits({
  op: concat,
  joins: ({ inputs, outputs, attrs: { axis } }) => {
    const shape = shapeOf(outputs[0]!);
    const rest = shape.filter((_, d) => d !== axis);
    const agree = inputs.every((v) =>
      sameShape(
        shapeOf(v).filter((_, d) => d !== axis),
        rest,
      ),
    );
    if (numel(shape.slice(0, axis)) !== 1 || !agree) return undefined;
    let offset: Dim = 0;
    return inputs.map((v) => {
      const at = offset;
      offset = add(offset, numel(shapeOf(v)));
      return at;
    });
  },
});

/** Fails a join of tensors that turn out to differ in another axis. */
export function joinCheck(
  { inputs, outputs, attrs: { axis } }: NodeOf<typeof concat>,
  k: Arguments,
): Cpp | false {
  const whole = shapeOf(outputs[0]!);
  const others = inputs.flatMap((v) =>
    shapeOf(v).flatMap((d, i) => (i === axis ? [] : [[d, whole[i]!] as const])),
  );
  return requireEqual(k, others, 'Concat: the tensors differ in another axis');
}
