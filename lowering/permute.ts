import { isStatic, type Shape } from '../src/ir/dim.js';
import { type Attrs, dtypeOf, type Node, type Op, shapeOf } from '../src/ir/graph.js';
import { argReduce } from '../src/ops/arg-reduce.js';
import { concat } from '../src/ops/concat.js';
import { cumulate } from '../src/ops/cumulate.js';
import { expand } from '../src/ops/expand.js';
import { groupNorm } from '../src/ops/norm.js';
import { pad } from '../src/ops/pad.js';
import { pointwise } from '../src/ops/pointwise.js';
import { dequantize, quantize } from '../src/ops/quantize.js';
import { reduce } from '../src/ops/reduce.js';
import { resize } from '../src/ops/resize.js';
import { slice } from '../src/ops/slice.js';
import { softmax } from '../src/ops/softmax.js';
import { toChannelsFirst, toChannelsLast } from '../src/ops/window.js';

/** How a node computes the same from inputs whose axes are permuted. */
export interface PermutedForm {
  readonly attrs: Attrs;
  /** How many inputs, the first ones, are permuted; the others are read as they are. */
  readonly operands: number;
  /** The result has its own axes in their order, not those of the inputs permuted. */
  readonly natural: boolean;
}

type Form = (node: Node, perm: readonly number[]) => PermutedForm | undefined;

const first = (attrs: Attrs, operands = 1, natural = false): PermutedForm => ({ attrs, operands, natural });
const picked = (values: Shape, perm: readonly number[]): Shape => perm.map((p) => values[p]!);

/** The axis of a tensor with axes `perm` that was axis `axis`. */
const moved = (axis: number, perm: readonly number[]): number => perm.indexOf(axis);

function onAxis(operands: (n: Node) => number = () => 1): Form {
  return (node, perm) => {
    const { axis } = node.attrs;
    return typeof axis === 'number'
      ? first({ ...node.attrs, axis: moved(axis, perm) }, operands(node))
      : undefined;
  };
}

/** Reductions whose axes go away keep the others in order, or their result would be permuted in its own way. */
function reduction(
  node: Node,
  axes: readonly number[],
  keepdims: boolean,
  perm: readonly number[],
  attrs: Attrs,
): PermutedForm | undefined {
  if (keepdims) return first(attrs);
  const rest = perm.filter((p) => !axes.includes(p));
  const ordered = rest.every((p, i) => i === 0 || rest[i - 1]! < p);
  return ordered && node.inputs.length === 1 ? first(attrs, 1, true) : undefined;
}

const forms = new Map<Op, Form>(
  (
    [
      [pointwise, (n) => first(n.attrs, n.inputs.length)],
      [concat, onAxis((n) => n.inputs.length)],
      [softmax, onAxis()],
      [cumulate, onAxis()],
      [groupNorm, channelNorm],
      [quantize, quantization],
      [dequantize, quantization],
      [
        slice,
        ({ attrs }, perm) =>
          first({
            starts: picked(attrs.starts as Shape, perm),
            steps: picked(attrs.steps as Shape, perm),
            shape: picked(attrs.shape as Shape, perm),
          }),
      ],
      [
        pad,
        ({ attrs }, perm) =>
          first({
            ...attrs,
            before: picked(attrs.before as Shape, perm),
            after: picked(attrs.after as Shape, perm),
          }),
      ],
      [
        resize,
        ({ attrs }, perm) =>
          first({
            ...attrs,
            shape: picked(attrs.shape as Shape, perm),
            axes: (attrs.axes as readonly number[]).map((a) => moved(a, perm)),
          }),
      ],
      [expand, ({ attrs }, perm) => first({ shape: picked(attrs.shape as Shape, perm) })],
      [
        reduce,
        (node, perm) => {
          const axes = node.attrs.axes as Shape;
          if (!isStatic(axes)) return undefined;
          const rank = perm.length;
          const front = axes.map((a) => (a < 0 ? a + rank : a));
          const attrs = { ...node.attrs, axes: front.map((a) => moved(a, perm)).sort((p, q) => p - q) };
          return reduction(node, front, node.attrs.keepdims === true, perm, attrs);
        },
      ],
      [
        argReduce,
        (node, perm) => {
          const axis = node.attrs.axis as number;
          const attrs = { ...node.attrs, axis: moved(axis, perm) };
          return reduction(node, [axis], node.attrs.keepdims === true, perm, attrs);
        },
      ],
    ] as readonly (readonly [unknown, Form])[]
  ).map(([op, form]) => [op as Op, form]),
);

/** One scale for the tensor, or one for each index of an axis. */
function quantization(node: Node, perm: readonly number[]): PermutedForm | undefined {
  const { axis, block } = node.attrs as { axis: number; block: number };
  if (block !== 0) return undefined;
  const one = shapeOf(node.inputs[1]!).every((d) => d === 1);
  return first(one ? node.attrs : { ...node.attrs, axis: moved(axis, perm) });
}

/** Channels move to the end, or from there. */
function channelNorm({ attrs }: Node, perm: readonly number[]): PermutedForm | undefined {
  if (attrs.epilogue !== undefined) return undefined;
  const last = attrs.layout === 'NXC';
  const wanted = last ? toChannelsFirst(perm.length) : toChannelsLast(perm.length);
  return wanted.every((p, i) => p === perm[i])
    ? first({ ...attrs, layout: last ? 'NCX' : 'NXC' })
    : undefined;
}

/** The form of a node under a permutation of as many axes as its result has; undefined when it has none. */
export function permutedForm(node: Node, perm: readonly number[]): PermutedForm | undefined {
  const form = forms.get(node.op);
  if (!form || node.outputs.length !== 1 || node.inputs.length === 0) return undefined;
  const out = node.outputs[0]!;
  if (dtypeOf(out) === 'string') return undefined;
  const made = form(node, perm);
  if (!made) return undefined;
  // Operands of lower rank get axes in front; only broadcasting does that.
  const broadcasts = node.op === (pointwise as unknown as Op) || node.op === (expand as unknown as Op);
  const fits = node.inputs
    .slice(0, made.operands)
    .every((v) => (broadcasts ? shapeOf(v).length <= perm.length : shapeOf(v).length === perm.length));
  const rank = shapeOf(out).length;
  return fits && (made.natural ? true : rank === perm.length) ? made : undefined;
}
