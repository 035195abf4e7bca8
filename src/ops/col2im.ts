import { add, type Dim, floordiv, isStatic, mul, numel, type Shape, sub } from '../ir/dim.js';
import { type Node, shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { forEachIndex, stridesOf } from './content.js';
import { int, ints, type OnnxEmitter, text } from './onnx-emitter.js';
import { defineOp, type OpDef } from './op.js';

export type Col2ImAttrs = {
  readonly image: Shape;
  readonly block: Shape;
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly strides: readonly number[];
};

/** Sums blocks, one in each column, into images where they overlap. */
export const col2im: OpDef<Col2ImAttrs> = defineOp({
  name: 'col2im',
  infer: ([x], { image, block, dilations, pads, strides }) => {
    const rank = image.length;
    if ([block, dilations, strides].some((l) => l.length !== rank) || pads.length !== 2 * rank)
      throw new CompileError('bad-columns', `Col2Im needs one entry for each of ${rank} axes, and two pads`);
    if (x!.shape.length !== 3) throw new CompileError('bad-columns', 'Col2Im takes a tensor of rank 3');
    return tensor(x!.dtype, [x!.shape[0]!, floordiv(x!.shape[1]!, numel(block)), ...image]);
  },
  onnx: {
    Col2Im: {
      18: (n, b) => {
        const image = n.dims(n.input(1));
        const ones = image.map(() => 1);
        return b(col2im, [n.input(0)], {
          image,
          block: n.dims(n.input(2)),
          dilations: n.ints('dilations', ones),
          pads: n.ints(
            'pads',
            [...image, ...image].map(() => 0),
          ),
          strides: n.ints('strides', ones),
        });
      },
    },
  },
  toOnnx: (node, [x], e) => {
    const { attrs: a } = node;
    if (e.opset < 18 && isStatic(a.image) && isStatic(a.block)) return scattered(node, x!, e);
    return e.one('Col2Im', [x, e.dims(a.image), e.dims(a.block)], {
      dilations: ints(a.dilations),
      pads: ints(a.pads),
      strides: ints(a.strides),
    });
  },
});

/** Before opset 18: every element is added to its place in an image with room for the pads. */
function scattered({ attrs: a, outputs }: Node<Col2ImAttrs>, x: string, e: OnnxEmitter): string {
  const [image, block] = [a.image.map(Number), a.block.map(Number)];
  const [batch, channels] = shapeOf(outputs[0]!) as readonly [Dim, Dim];
  const room = image.map((n, d) => n + a.pads[d]! + a.pads[d + image.length]!);
  const counts = columnsOf({ ...a, image, block }).map(Number);
  const strides = stridesOf(room);
  const places: number[] = [];
  forEachIndex([...block, ...counts], (index) => {
    const at = image.map((_, d) => index[d]! * a.dilations[d]! + index[d + image.length]! * a.strides[d]!);
    places.push(at.reduce((sum, i, d) => sum + i * strides[d]!, 0));
  });
  const elements = [batch, channels, places.length];
  const indices = e.one('Expand', [e.constant('i64', [1, 1, places.length], places), e.dims(elements)]);
  const zero = e.one('CastLike', [e.constant('f32', [], [0]), x]);
  const empty = e.one('Expand', [zero, e.dims([batch, channels, room.reduce((p, n) => p * n, 1)])]);
  const values = e.one('Reshape', [x, e.dims(elements)], { allowzero: int(1) });
  const sums = e.one('ScatterElements', [empty, indices, values], { axis: int(2), reduction: text('add') });
  const whole = e.one('Reshape', [sums, e.dims([batch, channels, ...room])], { allowzero: int(1) });
  const axes = image.map((_, d) => d + 2);
  const [starts, ends] = [a.pads.slice(0, image.length), image.map((n, d) => n + a.pads[d]!)];
  return e.one('Slice', [whole, e.dims(starts), e.dims(ends), e.constant('i64', [axes.length], axes)]);
}

/** How many blocks fit along each axis of an image. */
export const columnsOf = ({
  image,
  block,
  dilations,
  pads,
  strides,
}: {
  readonly image: Shape;
  readonly block: Shape;
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly strides: readonly number[];
}): Shape =>
  image.map((size, d) => {
    const padded = add(size, pads[d]!, pads[d + image.length]!);
    const reach = add(mul(dilations[d]!, sub(block[d]!, 1)), 1);
    return add(floordiv(sub(padded, reach), strides[d]!), 1);
  });
