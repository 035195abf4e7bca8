import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import {
  directionsOf,
  inputIndex,
  optionalInputs,
  type RecurrentAttrs,
  recurrentAttributes,
  stepsAndBatch,
} from './recurrent.js';
import { activationsOf } from './recurrent-activations.js';

/**
 * com.microsoft DynamicQuantizeLSTM: an LSTM whose weights are bytes, W [directions, input, 4 * hidden] and R
 * [directions, hidden, 4 * hidden], and whose inputs and states are rounded to bytes for the products with
 * them. The last four inputs are the scale and the zero point of W and of R, one or one a column for each
 * direction. Yields what LSTM yields.
 */
export const dynamicQuantizeLstm: OpDef<RecurrentAttrs> = defineOp({
  name: 'dynamic_quantize_lstm',

  infer: (inputs, attrs) => {
    const [x, w, r] = inputs;
    if (x!.dtype !== 'f32' || x!.shape.length !== 3 || inputs.length !== 7 + attrs.present.length)
      throw new CompileError('bad-inputs', 'a quantised LSTM takes a tensor of f32 with three axes');
    for (const t of [w!, r!])
      if (!/^[iu]8$/.test(t.dtype) || t.shape.length !== 3)
        throw new CompileError('bad-weights', 'the weights of a quantised LSTM are bytes');
    const directions = directionsOf(attrs);
    const [steps, batch] = stepsAndBatch(x!.shape, attrs);
    const last = tensor('f32', [directions, batch, attrs.hidden]);
    return [tensor('f32', [steps, directions, batch, attrs.hidden]), last, last];
  },

  onnx: { 'com.microsoft::DynamicQuantizeLSTM': { 1: convert } },

  toOnnx: ({ attrs }, inputs, e) => {
    const optional = optionalInputs.map((which) => {
      const at = inputIndex(attrs, which);
      return at === undefined ? undefined : inputs[at];
    });
    const args = [...inputs.slice(0, 3), ...optional, ...inputs.slice(-4)];
    return e.node('DynamicQuantizeLSTM', args, recurrentAttributes(attrs), 3, 'com.microsoft');
  },
});

function convert(n: SourceNode, b: Build): readonly Value[] {
  const hidden = n.has('hidden_size') ? n.int('hidden_size') : shapeOf(n.input(2))[1];
  if (typeof hidden !== 'number') return n.decline('the size of the state is not known');
  const direction = n.string('direction', 'forward');
  if (direction !== 'forward' && direction !== 'reverse' && direction !== 'bidirectional')
    throw new CompileError('bad-attribute', `"${direction}" is not a direction`);
  const optional = optionalInputs.map((_, i) => n.optional(3 + i));
  const points = [8, 9, 10, 11].map((i) => n.input(i));
  if (dtypeOf(points[1]!) !== dtypeOf(n.input(1)))
    throw new CompileError('type-mismatch', 'a zero point has another type than what it belongs to');
  const given = optional.filter((v) => v !== undefined);
  return b.all(dynamicQuantizeLstm, [n.input(0), n.input(1), n.input(2), ...given, ...points], {
    cell: 'lstm',
    hidden,
    direction,
    activations: activationsOf(n, 'lstm', direction === 'bidirectional' ? 2 : 1),
    clip: n.float('clip', 0),
    linearBeforeReset: false,
    inputForget: n.int('input_forget', 0) !== 0,
    batchFirst: false,
    present: optionalInputs.filter((_, i) => optional[i] !== undefined),
  });
}
