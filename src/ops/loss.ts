import { shapeOf } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { int, text } from './onnx-emitter.js';
import { type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { softmaxOf } from './softmax.js';

export type Reduction = 'none' | 'sum' | 'mean';
type LossAttrs = { reduction: Reduction; ignore: number | undefined };

/**
 * The negative of the log probability [N, C, ...] of each target class [N, ...], weighted by class where
 * there are weights. Targets of the ignored class count nothing.
 */
export const nllLoss: OpDef<LossAttrs> = defineOp({
  name: 'nll_loss',

  infer: ([x, target], { reduction }) => {
    if (x!.shape.length < 2 || target!.shape.length !== x!.shape.length - 1)
      throw new CompileError('bad-shape', 'the target has one axis less than the scores');
    return tensor(x!.dtype, reduction === 'none' ? target!.shape : []);
  },

  onnx: {
    NegativeLogLikelihoodLoss: {
      12: (n, b) => b(nllLoss, [n.input(0), n.input(1), ...weight(n)], attributes(n)),
    },
    SoftmaxCrossEntropyLoss: {
      12: ((n, b) => {
        if (shapeOf(n.input(0)).length < 2) n.decline('the scores have no class axis');
        const scores = softmaxOf(b, 'log', n.input(0), 1);
        return [b(nllLoss, [scores, n.input(1), ...weight(n)], attributes(n)), scores];
      }) satisfies Converter,
    },
  },

  toOnnx: ({ attrs: { reduction, ignore } }, inputs, e) =>
    e.one('NegativeLogLikelihoodLoss', inputs, {
      reduction: text(reduction),
      ...(ignore === undefined ? {} : { ignore_index: int(ignore) }),
    }),
});

const weight = (n: SourceNode) => {
  const w = n.optional(2);
  return w ? [w] : [];
};

function attributes(n: SourceNode): LossAttrs {
  const reduction = n.string('reduction', 'mean');
  if (reduction !== 'none' && reduction !== 'sum' && reduction !== 'mean')
    throw new CompileError('bad-attribute', `"${reduction}" is not a way to reduce losses`);
  return { reduction, ignore: n.has('ignore_index') ? n.int('ignore_index') : undefined };
}
