import { add, type Dim, floordiv, mul, type Shape, same } from '../ir/dim.js';
import { int, ints, type OnnxEmitter } from './onnx-emitter.js';
import { denseStrides } from './strides.js';

/** One of the moves that make an operand of a tensor; slices have steps of one. */
export type AttentionMove =
  | { readonly kind: 'slice'; readonly starts: Shape; readonly sizes: Shape }
  | { readonly kind: 'reshape'; readonly shape: Shape }
  | { readonly kind: 'transpose'; readonly perm: readonly number[] };

/** An operand that is a part of a tensor, and its shape. */
export type AttentionPart = {
  readonly moves: readonly AttentionMove[];
  readonly shape: Shape;
};

export type AttentionParts = readonly (AttentionPart | undefined)[];

/** The shapes of q, k and v, given those of the tensors they may be parts of. */
export const operandShapes = (
  shapes: readonly Shape[],
  parts: AttentionParts | undefined,
): readonly [Shape, Shape, Shape] => {
  const of = (i: number): Shape => parts?.[i]?.shape ?? shapes[i]!;
  return [of(0), of(1), of(2)];
};

/** The part as a tensor of its own. */
export const partToOnnx = (name: string, { moves }: AttentionPart, e: OnnxEmitter): string =>
  moves.reduce((x, move) => {
    switch (move.kind) {
      case 'slice': {
        const ends = move.starts.map((s, d) => add(s, move.sizes[d]!));
        const axes = e.dims(move.starts.map((_, d) => d));
        return e.one('Slice', [x, e.dims(move.starts), e.dims(ends), axes]);
      }
      case 'reshape':
        return e.one('Reshape', [x, e.dims(move.shape)], { allowzero: int(1) });
      case 'transpose':
        return e.one('Transpose', [x], { perm: ints(move.perm) });
      default:
        return move satisfies never;
    }
  }, name);

/** A run of elements that are one step apart. */
interface Run {
  readonly extent: Dim;
  readonly stride: Dim;
}

/** An axis is the runs that together make it, the outermost first. */
type Axis = readonly Run[];

/** a / b where that leaves no rest. */
function quotient(a: Dim, b: Dim): Dim | undefined {
  const q = floordiv(a, b);
  return same(mul(q, b), a) ? q : undefined;
}

function reshaped(axes: readonly Axis[], shape: Shape): readonly Axis[] | undefined {
  const runs = axes.flat();
  const out: Axis[] = [];
  for (const extent of shape) {
    const axis: Run[] = [];
    for (let rest = extent; rest !== 1; ) {
      const run = runs.shift();
      const further = run && quotient(rest, run.extent);
      const inner = run && further === undefined ? quotient(run.extent, rest) : undefined;
      if (run && further !== undefined) {
        axis.push(run);
        rest = further;
      } else if (run && inner !== undefined) {
        axis.push({ extent: rest, stride: mul(run.stride, inner) });
        runs.unshift({ extent: inner, stride: run.stride });
        rest = 1;
      } else return undefined;
    }
    out.push(axis);
  }
  return runs.length === 0 ? out : undefined;
}

/** Where the part begins, in elements, and the step along each of its axes; undefined where an axis has no one step. */
export function partLayout(
  whole: Shape,
  { moves }: AttentionPart,
): { readonly offset: Dim; readonly strides: Shape } | undefined {
  let offset: Dim = 0;
  const run = (extent: Dim, stride: Dim): Axis => (extent === 1 ? [] : [{ extent, stride }]);
  const dense = denseStrides(whole);
  let axes: readonly Axis[] | undefined = whole.map((d, i) => run(d, dense[i]!));
  for (const move of moves) {
    switch (move.kind) {
      case 'slice': {
        const next: Axis[] = [];
        for (const [d, axis] of axes.entries()) {
          const [start, size] = [move.starts[d]!, move.sizes[d]!];
          const full = start === 0 && same(mul(...axis.map((r) => r.extent)), size);
          const [only, more] = axis;
          if (full || !only) next.push(axis);
          else if (more) return undefined;
          else {
            offset = add(offset, mul(start, only.stride));
            next.push(run(size, only.stride));
          }
        }
        axes = next;
        break;
      }
      case 'reshape':
        axes = reshaped(axes, move.shape);
        break;
      case 'transpose': {
        const from: readonly Axis[] = axes;
        axes = move.perm.map((p) => from[p]!);
        break;
      }
      default:
        return move satisfies never;
    }
    if (!axes) return undefined;
  }
  const strides = axes.map(stepOf);
  return strides.every((s) => s !== undefined) ? { offset, strides } : undefined;
}

/** The one step along an axis, if its runs follow one another. */
function stepOf(axis: Axis): Dim | undefined {
  const joined = axis.every((r, i) => {
    const inner = axis[i + 1];
    return !inner || same(r.stride, mul(inner.stride, inner.extent));
  });
  return joined ? (axis.at(-1)?.stride ?? 1) : undefined;
}
