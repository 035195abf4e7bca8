import { add, type Dim, type Shape } from '../ir/dim.js';
import { dtypeOf, is, shapeOf, type Value } from '../ir/graph.js';
import type { DType, OpaqueType } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { concatenated } from './concat.js';
import { dims } from './constant.js';
import { dtypeAttr } from './onnx-dtype.js';
import { dtype as dtypeValue } from './onnx-emitter.js';
import { axisOf, type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { reshape } from './reshape.js';
import { slicedAxis } from './slice.js';

/**
 * A list of tensors. Nearly all lists are taken apart where they were put together; then the node has no
 * reader left, and no list exists when the model runs.
 */
export const sequence: OpDef<{ dtype: DType }> = defineOp({
  name: 'sequence',
  takesOpaque: true,
  infer: (_, { dtype }): OpaqueType => ({ kind: 'opaque', text: `sequence<${dtype}[*]>` }),
  onnx: {
    SequenceConstruct: {
      11: (n, b) =>
        listed(
          b,
          Array.from({ length: n.inputCount }, (_, i) => n.input(i)),
        ),
    },
    SequenceEmpty: { 11: (n, b) => listed(b, [], dtypeAttr(n, 'dtype') ?? 'f32') },
    SequenceInsert: {
      11: (n, b) => {
        const items = itemsOf(n);
        const at = n.optional(2) ? place(n, 2, items.length + 1) : items.length;
        return listed(b, [...items.slice(0, at), n.input(1), ...items.slice(at)]);
      },
    },
    SequenceErase: {
      11: (n, b) => {
        const items = itemsOf(n);
        const at = n.optional(1) ? place(n, 1, items.length) : items.length - 1;
        const left = items.filter((_, i) => i !== at);
        return listed(b, left, dtypeOf(items[at]!));
      },
    },
    SequenceAt: {
      11: (n) => {
        const items = itemsOf(n);
        return items[place(n, 1, items.length)]!;
      },
    },
    SequenceLength: {
      11: (n, b) => b(dims, [], { dims: [itemsOf(n).length], dtype: 'i64', shape: [] }),
    },
    ConcatFromSequence: { 11: joined },
    SplitToSequence: { 11: (n, b) => listed(b, parts(n, b), dtypeOf(n.input(0))) },
  },
  toOnnx: ({ attrs, inputs: items }, inputs, e) =>
    items.length === 0
      ? e.one('SequenceEmpty', [], { dtype: dtypeValue(attrs.dtype) })
      : e.one('SequenceConstruct', inputs),
});

function listed(b: Build, items: readonly Value[], dtype?: DType): Value {
  return b(sequence, items, { dtype: dtype ?? dtypeOf(items[0]!) });
}

/** The tensors of the list that is the first input. */
function itemsOf(n: SourceNode): readonly Value[] {
  const { node } = n.input(0);
  return is(node, sequence) ? node.inputs : n.decline('what a list holds is not known before the model runs');
}

function place(n: SourceNode, input: number, count: number): number {
  const [at] = n.numbers(n.input(input)) ?? n.decline('a place in a list is not known before the model runs');
  // Inserting counts from behind the last element, so that -1 is in front of it.
  const length = n.opType === 'SequenceInsert' ? count - 1 : count;
  const from = at! < 0 ? at! + length : at!;
  if (from < 0 || from >= count)
    throw new CompileError('bad-index', `place ${at} is outside a list of ${length} tensors`);
  return from;
}

function joined(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const items = itemsOf(n);
  if (items.length === 0) throw new CompileError('bad-concat', 'an empty list cannot be joined');
  const fresh = n.int('new_axis', 0) === 1;
  const axis = axisOf(n.int('axis'), shapeOf(items[0]!).length + Number(fresh));
  if (!fresh) return concatenated(b, items, axis);
  const apart = items.map((v) => {
    const shape = [...shapeOf(v)];
    shape.splice(axis, 0, 1);
    return b(reshape, [v], { shape });
  });
  return concatenated(b, apart, axis);
}

/** The parts that SplitToSequence makes. */
function parts(n: SourceNode, b: Build): readonly Value[] {
  const x = n.input(0);
  const axis = axisOf(n.int('axis', 0), shapeOf(x).length);
  const extent = shapeOf(x)[axis]!;
  const split = n.optional(1);
  const sizes = split ? sizesOf(n, split, extent) : single(n, extent);
  let start: Dim = 0;
  const pieces = sizes.map((size) => {
    const part = slicedAxis(b, x, axis, start, size);
    start = add(start, size);
    return part;
  });
  if (split || n.int('keepdims', 1) === 1) return pieces;
  const shape = shapeOf(x).filter((_, d) => d !== axis);
  return pieces.map((p) => b(reshape, [p], { shape }));
}

function single(n: SourceNode, extent: Dim): Shape {
  return typeof extent === 'number'
    ? Array.from({ length: extent }, () => 1)
    : n.decline('how many parts there are is not known before the model runs');
}

function sizesOf(n: SourceNode, split: Value, extent: Dim): Shape {
  const given = n.dims(split);
  if (shapeOf(split).length === 1) return given;
  const [size] = given;
  if (typeof size !== 'number' || typeof extent !== 'number' || size <= 0)
    return n.decline('how many parts there are is not known before the model runs');
  const count = Math.ceil(extent / size);
  return Array.from({ length: count }, (_, i) => Math.min(size, extent - i * size));
}
