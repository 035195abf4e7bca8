import { add, type Dim } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { type Content, content, contentShape } from './content.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Build, type Converter, defineOp, type OpDef, sameDtype } from './op.js';
import { split } from './split.js';

/** Tensors one after another along an axis. */
export const concat: OpDef<{ axis: number }> = defineOp({
  name: 'concat',

  infer: (inputs, { axis }) => {
    const dtype = sameDtype('concat', inputs);
    const [first, ...rest] = inputs;
    const shape = [...first!.shape];
    for (const { shape: next } of rest) {
      const fits =
        next.length === shape.length && next.every((d, i) => i === axis || compatible(d, shape[i]!));
      if (!fits)
        throw new CompileError(
          'bad-concat',
          `${inputs.map(showType).join(' and ')} do not join along axis ${axis}`,
        );
      next.forEach((d, i) => {
        if (i === axis) shape[i] = add(shape[i]!, d);
        else if (typeof d === 'number') shape[i] = d;
      });
    }
    return tensor(dtype, shape);
  },

  evaluate: (inputs, { axis }, [type]) => {
    const shape = contentShape(type!.shape);
    const known = inputs.filter((c) => c !== undefined);
    if (!shape || known.length !== inputs.length) return undefined;
    const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
    const data: Content['data'][number][] = [];
    for (let o = 0; o < outer; o++)
      for (const c of known) {
        const row = c.data.length / outer;
        data.push(...c.data.slice(o * row, (o + 1) * row));
      }
    return content(type!.dtype, shape, data);
  },

  onnx: { Concat: { 1: join(1), 4: join(undefined) }, Split: split },

  toOnnx: ({ attrs }, inputs, e) => e.one('Concat', inputs, { axis: int(attrs.axis) }),
});

const compatible = (a: Dim, b: Dim): boolean => typeof a !== 'number' || typeof b !== 'number' || a === b;

function join(fallback: number | undefined): Converter {
  return (n, b) => {
    const inputs = Array.from({ length: n.inputCount }, (_, i) => n.input(i));
    return concatenated(b, inputs, axisOf(n.int('axis', fallback), shapeOf(inputs[0]!).length));
  };
}

/** Joins tensors, leaving out those that are known to be empty. */
export function concatenated(b: Build, inputs: readonly Value[], axis: number): Value {
  const full = inputs.filter((v) => shapeOf(v)[axis] !== 0);
  const kept = full.length > 0 ? full : inputs.slice(0, 1);
  return kept.length === 1 ? kept[0]! : b(concat, kept, { axis });
}
