import { numel } from '../ir/dim.js';
import { arg, call } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Build, type Converter, defineOp, type OpDef } from './op.js';
import { pointwise } from './pointwise.js';
import { reduced } from './reduce.js';
import { reshape } from './reshape.js';

const forms = { softmax: 'Softmax', log: 'LogSoftmax', hardmax: 'Hardmax' } as const;

export type SoftmaxForm = keyof typeof forms;

/** Softmax along one axis, its logarithm, or 1 at the first largest element and 0 elsewhere. */
export const softmax: OpDef<{ form: SoftmaxForm; axis: number }> = defineOp({
  name: 'softmax',

  infer: ([x], { axis }) => {
    axisOf(axis, x!.shape.length);
    return x!;
  },

  onnx: Object.fromEntries(Object.entries(forms).map(([form, op]) => [op, versions(form as SoftmaxForm)])),

  toOnnx: ({ attrs }, [x], e) => e.one(forms[attrs.form], [x], { axis: int(attrs.axis) }),
});

/** Until opset 12 everything from the axis on is one axis. */
function versions(form: SoftmaxForm): Readonly<Record<number, Converter>> {
  return {
    1: (n, b) => {
      const x = n.input(0);
      const shape = shapeOf(x);
      const axis = axisOf(n.int('axis', 1), shape.length);
      if (axis === shape.length - 1) return softmaxOf(b, form, x, axis);
      const matrix = [numel(shape.slice(0, axis)), numel(shape.slice(axis))];
      const flat = softmaxOf(b, form, b(reshape, [x], { shape: matrix }), 1);
      return b(reshape, [flat], { shape });
    },
    13: (n, b) => softmaxOf(b, form, n.input(0), axisOf(n.int('axis', -1), shapeOf(n.input(0)).length)),
  };
}

/** The operator computes in f32; f64 goes through reductions, which compute in their own type. */
export function softmaxOf(b: Build, form: SoftmaxForm, x: Value, axis: number): Value {
  if (dtypeOf(x) !== 'f64' || form === 'hardmax') return b(softmax, [x], { form, axis });
  const [a, c] = [arg(0), arg(1)];
  const below = b(pointwise, [x, reduced(b, 'max', x, [axis])], { expr: call('sub', a, c) });
  if (form === 'log')
    return b(pointwise, [below, reduced(b, 'logsumexp', below, [axis])], { expr: call('sub', a, c) });
  const powers = b(pointwise, [below], { expr: call('exp', a) });
  return b(pointwise, [powers, reduced(b, 'sum', powers, [axis])], { expr: call('div', a, c) });
}
