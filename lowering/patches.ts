import type { Dim, Shape } from '../src/ir/dim.js';
import { dtypeOf, emit, is, type Node, shapeOf, transform, type Value } from '../src/ir/graph.js';
import { constant } from '../src/ops/constant.js';
import { type ConvAttrs, conv } from '../src/ops/conv.js';
import { epilogueOperand } from '../src/ops/epilogue.js';
import { matmul } from '../src/ops/matmul.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { toChannelsFirst } from '../src/ops/window.js';
import { elementCount } from '../src/support/tensor-data.js';
import { literalAt } from './literals.js';
import type { SyncPass } from './steps.js';

/**
 * A convolution whose windows lie side by side, over an image of few channels, is a product of its patches with the
 * weights. In half precision alone, for matrix units, which few channels leave idle. Runs before axes are moved.
 */
export const patches: SyncPass = {
  name: 'patches',
  run: (g) => transform(g, (node) => (is(node, conv) ? productOf(node) : undefined)),
};

/** Channels that one access of 16 bytes holds. */
const whole = 8;

function productOf(node: Node<ConvAttrs>): readonly Value[] | undefined {
  const { inputs, attrs, outputs, origin } = node;
  const [x, w, ...extras] = inputs as readonly [Value, Value, ...Value[]];
  const t = dtypeOf(x);
  const weights = literalAt(w);
  if ((t !== 'f16' && t !== 'bf16') || !weights || attrs.layout !== 'NCX') return undefined;
  const grid = patchGrid(shapeOf(x), attrs);
  const [m, ...patch] = weights.shape as readonly [number, ...number[]];
  const depth = elementCount(patch);
  if (!grid || patch[0]! >= whole || depth % whole !== 0) return undefined;

  const out = shapeOf(outputs[0]!);
  const operands = extras.map((v) => {
    const how = epilogueOperand(out, shapeOf(v), 'NCX');
    if (how === 'scalar') return v;
    return how === 'channel' ? emit(reshape, [v], { shape: [m] }, origin).outputs[0]! : undefined;
  });
  if (operands.some((v) => v === undefined)) return undefined;

  const rank = grid.length;
  const batch = shapeOf(x)[0]!;
  const axes = Array.from({ length: rank }, (_, i) => i);
  const split = [batch, patch[0]!, ...grid.flatMap((d, i) => [d, attrs.kernel[i]!])];
  const perm = [0, ...axes.map((i) => 2 + 2 * i), 1, ...axes.map((i) => 3 + 2 * i)];
  const apart = emit(reshape, [x], { shape: split }, origin).outputs[0]!;
  const turned = emit(transpose, [apart], { perm }, origin).outputs[0]!;
  const rows = emit(reshape, [turned], { shape: [batch, ...grid, depth] }, origin).outputs[0]!;
  const matrix = emit(constant, [], { value: weights.reshaped([m, depth]) }, w.node.origin).outputs[0]!;
  const product = emit(
    matmul,
    [rows, matrix, ...(operands as readonly Value[])],
    { transA: false, transB: true, epilogue: attrs.epilogue },
    origin,
  ).outputs[0]!;
  return emit(transpose, [product], { perm: toChannelsFirst(rank + 2) }, origin).outputs;
}

/** How many windows lie along each axis, where they cover the image and nothing twice. */
function patchGrid(x: Shape, { kernel, strides, pads, groups }: ConvAttrs): readonly Dim[] | undefined {
  const spatial = x.slice(2);
  if (groups !== 1 || kernel.every((d) => d === 1) || pads.some((p) => p !== 0)) return undefined;
  if (kernel.some((d, i) => d !== strides[i])) return undefined;
  if (spatial.some((d, i) => typeof d !== 'number' || d % kernel[i]! !== 0 || d === 0)) return undefined;
  return spatial.map((d, i) => Number(d) / kernel[i]!);
}
