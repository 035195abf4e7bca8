import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder } from '../../codegen/gpu/builder.js';
import type { Dim, Shape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf, type Value } from '../../src/ir/graph.js';
import { type AttentionAttrs, headsFirst } from '../../src/ops/attention.js';
import { operandShapes, partLayout } from '../../src/ops/attention-parts.js';
import { denseStrides } from '../../src/ops/strides.js';
import { flag } from '../shared/elements.js';
import { broadcastSteps } from '../shared/loop.js';
import { int } from './index-text.js';
import { isMultiple } from './vector-width.js';

/** What attention reads and writes, as text of its kernels and as extents to choose them by. */
export interface Operands {
  readonly type: 'f32' | 'f16' | 'bf16';
  readonly batch: Dim;
  readonly heads: Dim;
  readonly keyHeads: Dim;
  readonly queries: Dim;
  readonly keys: Dim;
  readonly depth: Dim;
  readonly valueDepth: Dim;
  readonly attrs: AttentionAttrs;
  /** Text of the shape for tiles of so many heads, of q, k, v and the mask, and of the result. */
  readonly shape: (packed: number) => Cpp;
  readonly reads: readonly Cpp[];
  /** Whether rows of q, k and v begin at multiples of 16 bytes behind the tensors' beginnings. */
  readonly whole: boolean;
  readonly mask: Cpp;
  readonly maskType: Cpp;
  readonly result: Cpp;
  /** Host expressions of the extents that a grid depends on. */
  readonly names: {
    readonly batch: Cpp;
    readonly heads: Cpp;
    readonly queries: Cpp;
    readonly valueDepth: Cpp;
  };
}

export type Attention = Pick<Node<AttentionAttrs>, 'inputs' | 'attrs'>;

/** The shapes of q, k and v as [B, H, L, D]. */
export function headShapes({ inputs, attrs }: Attention): readonly [Shape, Shape, Shape] {
  const shapes = operandShapes(inputs.map(shapeOf), attrs.parts);
  const first = (i: 0 | 1 | 2): Shape => headsFirst(shapes[i], attrs.rowsFirst[i]);
  return [first(0), first(1), first(2)];
}

/** Where q, k or v begins in its tensor, and the steps along [B, H, L, D]. */
export function stepsOf(
  { inputs, attrs }: Attention,
  i: number,
): { offset: Dim; strides: Shape } | undefined {
  const part = attrs.parts?.[i];
  const x = inputs[i]!;
  const own = part ? partLayout(shapeOf(x), part) : { offset: 0, strides: denseStrides(shapeOf(x)) };
  return own && { offset: own.offset, strides: headsFirst(own.strides, attrs.rowsFirst[i]!) };
}

/** Whether rows of q, k and v begin at multiples of 16 bytes of two-byte elements behind the tensors' beginnings. */
export const isWhole = (node: Attention): boolean =>
  [0, 1, 2].every((i) => {
    const { offset, strides } = stepsOf(node, i)!;
    return [offset, ...strides.slice(0, 3)].every((d) => isMultiple(d, 8));
  });

export function operandsOf(node: Node<AttentionAttrs>, k: GpuBuilder): Operands {
  const { inputs, outputs, attrs } = node;
  const [q, keys, values] = headShapes(node);
  const type = dtypeOf(inputs[0]!) as Operands['type'];
  const t = ctype[type];
  const { window } = attrs;
  const extents = [q[0]!, q[1]!, keys[1]!, q[2]!, keys[2]!, q[3]!, values[3]!].map((d) => k.fresh(d));
  const bounds = [window?.offset ?? 0, window?.left ?? -1, window?.right ?? -1].map((d) => int(k.fresh(d)));
  const lengths = attrs.lengths ? k.input(3 + Number(attrs.mask)) : cpp`nullptr`;
  const fields = [
    ...extents.map(int),
    k.number(attrs.scale),
    k.number(attrs.softcap),
    ...bounds,
    lengths,
    flag(attrs.lengths),
  ];
  const maskType = attrs.mask ? ctype[dtypeOf(inputs[3]!)] : cpp`ait::gpu::NoMask`;
  return {
    type,
    batch: q[0]!,
    heads: q[1]!,
    keyHeads: keys[1]!,
    queries: q[2]!,
    keys: keys[2]!,
    depth: q[3]!,
    valueDepth: values[3]!,
    attrs,
    shape: (packed) => cpp`const ait::gpu::AttentionShape s{${join(fields, ', ')}, ${packed}};`,
    reads: [0, 1, 2].map((i) => {
      const { offset, strides } = stepsOf(node, i)!;
      const p = offset === 0 ? k.input(i) : cpp`${k.input(i)} + ${k.fresh(offset)}`;
      return view(p, cpp`const ${t}`, strides, k);
    }),
    whole: isWhole(node),
    maskType,
    mask: attrs.mask ? maskView(inputs[3]!, q.slice(0, 3), k) : cpp`ait::gpu::MaskView<ait::gpu::NoMask>{}`,
    result: view(k.output(), t, headsFirst(denseStrides(shapeOf(outputs[0]!)), attrs.rowsFirst[3]), k),
    names: { batch: extents[0]!, heads: extents[1]!, queries: extents[3]!, valueDepth: extents[6]! },
  };
}

export function view(p: Cpp, type: Cpp, strides: Shape, k: GpuBuilder): Cpp {
  const steps = strides.slice(0, 3).map((d) => k.fresh(d));
  return cpp`ait::gpu::HeadsView<${type}>{${join([p, ...steps], ', ')}}`;
}

/** A mask whose axes before the last broadcast to those of the scores. */
function maskView(mask: Value, rows: Shape, k: GpuBuilder): Cpp {
  const shape = shapeOf(mask);
  const steps = broadcastSteps(rows, shape.slice(0, -1), denseStrides(shape));
  const width = int(k.fresh(shape.at(-1)!));
  const fields = [k.input(3), ...steps.map((d) => k.fresh(d)), width];
  return cpp`ait::gpu::MaskView<${ctype[dtypeOf(mask)]}>{${join(fields, ', ')}}`;
}
