import { type Dim, numel } from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { int } from './onnx-emitter.js';
import { axisOf, type Build, defineOp, type OpDef, type SourceNode } from './op.js';
import { reshape } from './reshape.js';
import { slicedAxis } from './slice.js';

/**
 * The distinct slices along an axis, the place each was first seen at, for each slice which of them it is,
 * and how often each occurs. Results: their number, then these four, all as long as the axis: what is
 * beyond the number is undefined.
 */
export const unique: OpDef<{ axis: number; sorted: boolean }> = defineOp({
  name: 'unique',
  infer: ([x], { axis }) => {
    const all = [x!.shape[axis]!];
    return [tensor('i64', [1]), x!, tensor('i64', all), tensor('i64', all), tensor('i64', all)];
  },
  onnx: { Unique: { 11: distinct } },
  toOnnx: ({ attrs, outputs }, [x], e) => {
    const { axis, sorted } = attrs;
    const [values, first, which, counts] = e.node('Unique', [x], { axis: int(axis), sorted: int(sorted) }, 4);
    const all = e.dims([shapeOf(outputs[2]!)[0]!]);
    const count = e.one('Shape', [first]);
    const missing = e.one('Sub', [all, count]);
    const zeros = (n: number): readonly string[] =>
      n === 0
        ? []
        : [
            e.constant(
              'i64',
              [n],
              Array.from({ length: n }, () => 0),
            ),
          ];
    const longer = (name: string | undefined, on: number, rank: number): string => {
      const parts = [...zeros(rank + on), missing, ...zeros(rank - 1 - on)];
      return e.one('Pad', [name, e.one('Concat', parts, { axis: int(0) })]);
    };
    const rank = shapeOf(outputs[1]!).length;
    return [count, longer(values, axis, rank), longer(first, 0, 1), which!, longer(counts, 0, 1)];
  },
});

function distinct(n: SourceNode, b: Build): readonly Value[] {
  const given = n.input(0);
  const flat = !n.has('axis');
  const x = flat ? b(reshape, [given], { shape: [numel(shapeOf(given))] }) : given;
  const axis = flat ? 0 : axisOf(n.int('axis'), shapeOf(x).length);
  const all: Dim = shapeOf(x)[axis]!;
  const [number, values, first, which, counts] = b.all(unique, [x], {
    axis,
    sorted: n.int('sorted', 1) === 1,
  });
  const count = n.bind(number!, 0, 'unique', all);
  return [
    slicedAxis(b, values!, axis, 0, count),
    slicedAxis(b, first!, 0, 0, count),
    which!,
    slicedAxis(b, counts!, 0, 0, count),
  ];
}
