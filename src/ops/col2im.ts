import { add, floordiv, mul, numel, type Shape, sub } from '../ir/dim.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { ints } from './onnx-emitter.js';
import { defineOp, type OpDef } from './op.js';

/** Sums blocks, one in each column, into images where they overlap. */
export const col2im: OpDef<{
  image: Shape;
  block: Shape;
  dilations: readonly number[];
  pads: readonly number[];
  strides: readonly number[];
}> = defineOp({
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
  toOnnx: ({ attrs: a }, [x], e) =>
    e.one('Col2Im', [x, e.dims(a.image), e.dims(a.block)], {
      dilations: ints(a.dilations),
      pads: ints(a.pads),
      strides: ints(a.strides),
    }),
});

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
