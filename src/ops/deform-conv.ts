import { shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { int, ints } from './onnx-emitter.js';
import { defineOp, type OpDef, sameDtype } from './op.js';

/**
 * 2-D convolution whose taps are moved by offsets and weighted by a mask. Inputs: images, weights, offsets,
 * then the bias and the mask where they are present.
 */
export const deformConv: OpDef<{
  groups: number;
  offsetGroups: number;
  strides: readonly number[];
  dilations: readonly number[];
  pads: readonly number[];
  bias: boolean;
  mask: boolean;
}> = defineOp({
  name: 'deform_conv',
  infer: (inputs) => {
    const [x, w, offset] = inputs;
    sameDtype('deform_conv', inputs);
    if (x!.shape.length !== 4 || w!.shape.length !== 4 || offset!.shape.length !== 4)
      throw new CompileError('bad-rank', 'only 2-D deformable convolution is defined');
    return tensor(x!.dtype, [x!.shape[0]!, w!.shape[0]!, ...offset!.shape.slice(2)]);
  },
  onnx: {
    DeformConv: {
      19: (n, b) => {
        const [x, bias, mask] = [n.input(0), n.optional(3), n.optional(4)];
        if (shapeOf(x).length !== 4) n.decline('only 2-D deformable convolution is compiled');
        const inputs = [x, n.input(1), n.input(2), ...[bias, mask].filter((v) => v !== undefined)];
        return b(deformConv, inputs, {
          groups: n.int('group', 1),
          offsetGroups: n.int('offset_group', 1),
          strides: n.ints('strides', [1, 1]),
          dilations: n.ints('dilations', [1, 1]),
          pads: n.ints('pads', [0, 0, 0, 0]),
          bias: bias !== undefined,
          mask: mask !== undefined,
        });
      },
    },
  },
  toOnnx: ({ attrs: a }, [x, w, offset, ...rest], e) =>
    e.one('DeformConv', [x, w, offset, a.bias ? rest[0] : undefined, a.mask ? rest.at(-1) : undefined], {
      group: int(a.groups),
      offset_group: int(a.offsetGroups),
      strides: ints(a.strides),
      dilations: ints(a.dilations),
      pads: ints(a.pads),
    }),
});
