import { constant, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { num } from './elementwise.js';
import { int } from './onnx-emitter.js';
import { type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';

/**
 * Dropout that may be on: input, ratio, whether it is on. Gives the result and which elements were kept.
 * Which they are follows from the seed alone.
 */
export const dropout: OpDef<{ seed: number }> = defineOp({
  name: 'dropout',
  infer: ([x]) => [x!, tensor('bool', x!.shape)],
  onnx: {
    Dropout: { 1: attributes('T'), 10: attributes('bool'), 12: inputs },
  },
  toOnnx: ({ attrs }, xs, e) => e.node('Dropout', xs, { seed: int(attrs.seed) }, 2),
});

/** Everything is kept. */
function identity(n: SourceNode, b: Build, mask: 'T' | 'bool'): readonly Value[] {
  const x = n.input(0);
  const one: Expr = mask === 'bool' ? constant(1, 'bool') : num(1, dtypeOf(x));
  return n.wants(1) ? [x, b(pointwise, [x], { expr: one })] : [x];
}

/** Before opset 12 a model that runs is not trained. */
function attributes(mask: 'T' | 'bool'): Converter {
  return (n, b) => identity(n, b, mask);
}

function inputs(n: SourceNode, b: Build): readonly Value[] {
  const [ratio, training] = [n.optional(1), n.optional(2)];
  const known = training && n.content(training)?.data[0];
  if (!training || known === 0) return identity(n, b, 'bool');
  if (ratio && n.content(ratio)?.data[0] === 0) return identity(n, b, 'bool');
  if (!ratio) n.decline('dropout with the default ratio is for training');
  if (shapeOf(ratio).length > 1) n.decline('the ratio of dropout is not a scalar');
  return b.all(dropout, [n.input(0), ratio, training], { seed: n.int('seed', 0) });
}
