import { Cpp, cpp } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { add, type Dim, isStatic, mul, numel, type Shape, same, sameShape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bytesOf } from '../../src/ir/type.js';
import { concat } from '../../src/ops/concat.js';
import { expand } from '../../src/ops/expand.js';
import { pad } from '../../src/ops/pad.js';
import { slice } from '../../src/ops/slice.js';
import { stridedView } from '../../src/ops/strided-view.js';
import { denseStrides } from '../../src/ops/strides.js';
import { transpose } from '../../src/ops/transpose.js';
import {
  carrier,
  type Ends,
  failUnless,
  movedInput,
  movedOutput,
  refusePacked,
  requireEqual,
} from '../shared/elements.js';
import { mergeAxes } from '../shared/loop.js';
import { table } from './table.js';

const mostAxes = 12;

function refuse(node: Ends): string | undefined {
  if (shapeOf(node.outputs[0]!).length > mostAxes) return `it has more than ${mostAxes} axes`;
  return refusePacked(node);
}

/** Copies what the node's strided view of its input shows. */
function copy(k: KernelBuilder, check: Cpp | false = false): Cpp {
  const view = stridedView(k.node)!;
  const nest = mergeAxes(shapeOf(k.node.outputs[0]!), [view.strides]);
  k.include('ait/movement.h');
  return cpp`
    ${check}
    ${table(k, 'extents', nest.extents)}
    ${table(k, 'strides', nest.strides[0]!)}
    ait::copy_strided(ctx, ${movedOutput(k)}, ${movedInput(k, 0)} + ${k.arg(view.offset)}, ${nest.extents.length}, extents, strides);
  `;
}

export const transposeKernel = defineKernel({
  op: transpose,
  refuse,
  // Moving only axes of extent 1 leaves every element where it was.
  alias: ({ inputs, attrs: { perm } }) => {
    const shape = shapeOf(inputs[0]!);
    const moved = perm.filter((p) => shape[p] !== 1);
    return moved.every((p, i) => i === 0 || moved[i - 1]! < p);
  },
  emit: (_, k) => copy(k),
});

/** A part whose elements follow one another in the input needs no copy. */
function contiguousPart(node: Node): { readonly offset: Dim } | undefined {
  const view = stridedView(node);
  const shape = shapeOf(node.outputs[0]!);
  const dense = denseStrides(shape);
  const inOrder = view?.strides.every((s, d) => shape[d] === 1 || same(s, dense[d]!));
  return view && inOrder ? { offset: view.offset } : undefined;
}

type Slice = Parameters<typeof slice.toOnnx>[0];

/** Axes on which a part is taken that only the run knows to lie inside. */
export const openAxes = ({ inputs, attrs: { starts, steps, shape } }: Slice): readonly number[] =>
  shapeOf(inputs[0]!).flatMap((n, d) => {
    const [start, length, step] = [starts[d]!, shape[d]!, steps[d]!];
    const whole = start === 0 && step === 1 && same(length, n);
    return whole || isStatic([n, start, length, step]) ? [] : [d];
  });

/** Fails a slice whose part lies outside, where only the run knows it. */
export function insideCheck(node: Slice, arg: (d: Dim) => Cpp): Cpp | false {
  const { inputs } = node;
  const { starts, steps, shape } = node.attrs;
  // Sizes that only the run knows may be anything, those of Split above all.
  const inside = openAxes(node).map((d) => {
    const [n, start, length, step] = [shapeOf(inputs[0]!)[d]!, starts[d]!, shape[d]!, steps[d]!];
    return cpp`ait::slice_within(${arg(start)}, ${arg(length)}, ${arg(step)}, ${arg(n)})`;
  });
  return failUnless(inside, 'Slice: the part lies outside of the tensor');
}

export const sliceKernel = defineKernel({
  op: slice,
  refuse,
  // Where the run decides the part, it also checks that the part lies inside.
  alias: (node) => (openAxes(node).length === 0 && contiguousPart(node)) || false,
  emit: (node, k) => {
    return copy(
      k,
      insideCheck(node, (d) => k.arg(d)),
    );
  },
});

/** Fails an expansion whose shapes turn out not to broadcast. */
export function broadcastCheck({ inputs, outputs }: Ends, arg: (d: Dim) => Cpp): Cpp | false {
  const from = shapeOf(inputs[0]!);
  const to = shapeOf(outputs[0]!).slice(shapeOf(outputs[0]!).length - from.length);
  const fits = from.flatMap((n, d) =>
    n === 1 || same(n, to[d]!) ? [] : [cpp`(${arg(n)} == 1 || ${arg(n)} == ${arg(to[d]!)})`],
  );
  return failUnless(fits, 'Expand: the shapes do not broadcast');
}

export const expandKernel = defineKernel({
  op: expand,
  refuse,
  alias: ({ inputs, outputs }) => {
    const from = shapeOf(inputs[0]!);
    const to = shapeOf(outputs[0]!);
    const lead = to.length - from.length;
    return to.slice(0, lead).every((d) => d === 1) && sameShape(to.slice(lead), from);
  },
  emit: (node, k) =>
    copy(
      k,
      broadcastCheck(node, (d) => k.arg(d)),
    ),
});

type Concat = Parameters<typeof concat.toOnnx>[0];

/** Fails a join of tensors that turn out to differ in another axis. */
export function joinCheck({ inputs, outputs, attrs: { axis } }: Concat, arg: (d: Dim) => Cpp): Cpp | false {
  const whole = shapeOf(outputs[0]!);
  const others = inputs.flatMap((v) =>
    shapeOf(v).flatMap((d, i) => (i === axis ? [] : [[d, whole[i]!] as const])),
  );
  return requireEqual({ arg }, others, 'Concat: the tensors differ in another axis');
}

export const concatKernel = defineKernel({
  op: concat,
  refuse: refusePacked,
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
  emit: (node, k) => {
    const { inputs, outputs } = node;
    const { axis } = node.attrs;
    const [y] = outputs;
    const size = bytesOf(dtypeOf(y!), 1);
    const row = (shape: Shape): Dim => mul(size, numel(shape.slice(axis)));
    const rows = k.arg(numel(shapeOf(y!).slice(0, axis)));
    const whole = k.arg(row(shapeOf(y!)));
    let offset: Dim = 0;
    const parts = inputs.map((v, i) => {
      const bytes = row(shapeOf(v));
      const width = k.arg(bytes);
      const copied = cpp`ait::copy_rows(ctx, y + ${k.arg(offset)}, ${whole}, ${k.input(i)}, ${width}, ${rows}, ${width});`;
      offset = add(offset, bytes);
      return copied;
    });
    k.include('ait/movement.h');
    return cpp`
      ${joinCheck(node, (d) => k.arg(d))}
      uint8_t* y = reinterpret_cast<uint8_t*>(${k.output()});
      ${parts}
    `;
  },
});

const padModes = { constant: 'Constant', edge: 'Edge', reflect: 'Reflect', wrap: 'Wrap' } as const;

export const padKernel = defineKernel({
  op: pad,
  refuse,
  emit: ({ inputs, attrs }, k) => {
    const T = carrier(dtypeOf(inputs[0]!));
    const axes = mergePads(shapeOf(inputs[0]!), attrs.before, attrs.after, attrs.mode === 'constant');
    const value = inputs.length > 1 ? cpp`*${movedInput(k, 1)}` : cpp`${T}{}`;
    k.include('ait/movement.h');
    return cpp`
      ${table(
        k,
        'extents',
        axes.map((a) => a.extent),
      )}
      ${table(
        k,
        'before',
        axes.map((a) => a.before),
      )}
      ${table(
        k,
        'after',
        axes.map((a) => a.after),
      )}
      ait::pad<${T}>(ctx, ${movedOutput(k)}, ${movedInput(k, 0)}, ${axes.length}, extents, before, after, ait::PadMode::${new Cpp(padModes[attrs.mode])}, ${value});
    `;
  },
});

interface PaddedAxis {
  readonly extent: Dim;
  readonly before: Dim;
  readonly after: Dim;
}

/** Joins neighbouring axes that nothing is added to; with constants also one such into the padded axis before it. */
function mergePads(shape: Shape, before: Shape, after: Shape, constant: boolean): readonly PaddedAxis[] {
  const axes: PaddedAxis[] = [];
  shape.forEach((extent, d) => {
    const own: PaddedAxis = { extent, before: before[d]!, after: after[d]! };
    const last = axes.at(-1);
    const plain = own.before === 0 && own.after === 0;
    if (last && plain && (constant || (last.before === 0 && last.after === 0)))
      axes[axes.length - 1] = {
        extent: mul(last.extent, extent),
        before: mul(last.before, extent),
        after: mul(last.after, extent),
      };
    else axes.push(own);
  });
  return axes.length === 0 ? [{ extent: 1, before: 0, after: 0 }] : axes;
}
