import { shapeOf } from '../ir/graph.js';
import { CompileError } from '../support/diagnostic.js';
import { int, text } from './onnx-emitter.js';
import { axisOf, defineOp, type OpDef, sameDtype } from './op.js';

/**
 * A cache with new entries: for each batch (axis 0), those of the update follow one another along `axis`
 * from the place the batch names, or from the start. Inputs: cache, update, and optionally the places.
 */
export const tensorScatter: OpDef<{ axis: number; circular: boolean }> = defineOp({
  name: 'tensor_scatter',
  infer: ([cache, update], { axis }) => {
    sameDtype('tensor_scatter', [cache!, update!]);
    if (axis === 0 || update!.shape.length !== cache!.shape.length)
      throw new CompileError(
        'bad-axis',
        'the entries must follow one another along an axis behind the batch',
      );
    return cache!;
  },
  onnx: {
    TensorScatter: {
      24: (n, b) => {
        const [cache, places] = [n.input(0), n.optional(2)];
        const mode = n.string('mode', 'linear');
        if (mode !== 'linear' && mode !== 'circular') n.decline(`TensorScatter has no mode "${mode}"`);
        return b(tensorScatter, [cache, n.input(1), ...(places ? [places] : [])], {
          axis: axisOf(n.int('axis', -2), shapeOf(cache).length),
          circular: mode === 'circular',
        });
      },
    },
  },
  toOnnx: ({ attrs: a }, inputs, e) =>
    e.one('TensorScatter', inputs, { axis: int(a.axis), mode: text(a.circular ? 'circular' : 'linear') }),
});
