import {
  add,
  ceildiv,
  type Dim,
  floordiv,
  isStatic,
  lt,
  max,
  min,
  mul,
  type Shape,
  same,
  select,
  sub,
} from '../ir/dim.js';
import { shapeOf, type Value } from '../ir/graph.js';
import { tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { pick, stridesOf } from './content.js';
import { type Build, type Converter, defineOp, type OpDef, type SourceNode } from './op.js';
import { fromFront, spread } from './strides.js';

/** Element i of axis d of the result is element starts[d] + i * steps[d] of the input; all lie inside it. */
export const slice: OpDef<{ starts: Shape; steps: Shape; shape: Shape }> = defineOp({
  name: 'slice',

  infer: ([x], { starts, steps, shape }) => {
    const rank = x!.shape.length;
    if (starts.length !== rank || steps.length !== rank || shape.length !== rank)
      throw new CompileError('bad-slice', `a slice of a tensor of rank ${rank} is given for another rank`);
    return tensor(x!.dtype, shape);
  },

  evaluate: ([x], { starts, steps, shape }) => {
    if (!x || !isStatic(starts) || !isStatic(steps) || !isStatic(shape)) return undefined;
    const strides = stridesOf(x.shape);
    return pick(x, shape, (index) =>
      index.reduce((at, i, d) => at + (starts[d]! + i * steps[d]!) * strides[d]!, 0),
    );
  },

  onnx: {
    Slice: {
      1: (n, b) =>
        convert(n, b, n.ints('starts'), n.ints('ends'), n.has('axes') ? n.ints('axes') : undefined),
      10: (n, b) => {
        const given = (i: number): Shape | undefined => {
          const v = n.optional(i);
          return v && n.dims(v);
        };
        return convert(n, b, n.dims(n.input(1)), n.dims(n.input(2)), given(3), given(4));
      },
    },
  },

  toOnnx: ({ attrs: { starts, steps, shape }, inputs: [v] }, [x], e) => {
    const from = shapeOf(v!);
    const axes = starts.flatMap((start, d) =>
      start === 0 && steps[d] === 1 && same(shape[d]!, from[d]!) ? [] : [d],
    );
    if (axes.length === 0) return e.one('Identity', [x]);
    const on = (dims: Shape): string => e.dims(axes.map((d) => dims[d]!));
    const ends = starts.map((start, d) => {
      const end = add(start, mul(steps[d]!, shape[d]!));
      // An end before the first element must not be read as one counted from the back.
      return select(lt(steps[d]!, 0), select(lt(end, 0), -(2 ** 40), end), end);
    });
    const plain = axes.every((d) => steps[d] === 1);
    return e.one('Slice', [
      x,
      on(starts),
      on(ends),
      e.constant('i64', [axes.length], axes),
      plain ? undefined : on(steps),
    ]);
  },
});

/** A part of a tensor; the tensor itself when that is all of it. */
export function sliced(b: Build, x: Value, starts: Shape, steps: Shape, shape: Shape): Value {
  const whole = shapeOf(x).every((n, d) => starts[d] === 0 && steps[d] === 1 && same(n, shape[d]!));
  return whole ? x : b(slice, [x], { starts, steps, shape });
}

/** The part [start, start + length) of one axis. */
export function slicedAxis(b: Build, x: Value, axis: number, start: Dim, length: Dim): Value {
  const shape = shapeOf(x);
  const at = (d: number, own: Dim, rest: Dim): Dim => (d === axis ? own : rest);
  return sliced(
    b,
    x,
    shape.map((_, d) => at(d, start, 0)),
    shape.map(() => 1),
    shape.map((n, d) => at(d, length, n)),
  );
}

function convert(
  n: SourceNode,
  b: Build,
  starts: Shape,
  ends: Shape,
  axes?: Shape,
  steps: Shape = starts.map(() => 1),
): ReturnType<Converter> {
  const x = n.input(0);
  const shape = shapeOf(x);
  const on = axes ?? starts.map((_, i) => i);
  if (ends.length !== starts.length || on.length !== starts.length || steps.length !== starts.length)
    throw new CompileError('bad-slice', 'starts, ends, axes and steps differ in length');
  if (on.some((a) => typeof a === 'number' && (a < -shape.length || a >= shape.length)))
    throw new CompileError('bad-axis', `an axis is outside a tensor of rank ${shape.length}`);
  const fullSteps = spread(
    steps,
    on,
    shape.map(() => 1),
  );
  if (fullSteps.includes(0)) throw new CompileError('bad-slice', 'a slice has a step of 0');
  const fullStarts = spread(
    starts,
    on,
    shape.map(() => 0),
  );
  const fullEnds = spread(
    ends,
    on,
    shape.map(() => far),
  );
  const ranges = shape.map((extent, d) => sliceRange(fullStarts[d]!, fullEnds[d]!, fullSteps[d]!, extent));
  return sliced(
    b,
    x,
    ranges.map((r) => r.start),
    fullSteps,
    ranges.map((r) => r.length),
  );
}

/** Starts and ends from here on mean the end of the axis, whatever its extent. */
const far = 1e9;

/** First element and number of elements of start:end:step over n elements, as ONNX Slice clamps them. */
export function sliceRange(
  start: Dim,
  end: Dim,
  step: Dim,
  n: Dim,
): { readonly start: Dim; readonly length: Dim } {
  if (typeof step === 'number')
    return step > 0 ? forwards(start, end, step, n) : backwards(start, end, step, n);
  const up = forwards(start, end, step, n);
  const down = backwards(start, end, step, n);
  const back = lt(step, 0);
  return { start: select(back, down.start, up.start), length: select(back, down.length, up.length) };
}

function forwards(start: Dim, end: Dim, step: Dim, n: Dim): { readonly start: Dim; readonly length: Dim } {
  const first = isFar(start) ? (start > 0 ? n : 0) : max(fromFront(start, n), 0);
  const last = isFar(end) ? (end > 0 ? n : 0) : min(fromFront(end, n), n);
  // The last k of n elements: k of them unless there are fewer.
  if (typeof start === 'number' && start < 0 && !isFar(start) && step === 1 && same(last, n))
    return { start: first, length: min(-start, n) };
  return { start: first, length: max(ceildivide(sub(last, first), step), 0) };
}

function backwards(start: Dim, end: Dim, step: Dim, n: Dim): { readonly start: Dim; readonly length: Dim } {
  const top = sub(n, 1);
  const first = isFar(start) ? (start > 0 ? top : min(0, top)) : min(max(fromFront(start, n), 0), top);
  const last = isFar(end) ? (end > 0 ? top : -1) : max(fromFront(end, n), -1);
  return { start: first, length: max(ceildivide(sub(last, first), step), 0) };
}

const isFar = (d: Dim): d is number => typeof d === 'number' && Math.abs(d) >= far;

/** a / b rounded up, also for a negative b. */
const ceildivide = (a: Dim, b: Dim): Dim =>
  typeof b === 'number' && b > 0 ? ceildiv(a, b) : mul(-1, floordiv(mul(-1, a), b));
