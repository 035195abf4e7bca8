import type { Cpp } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { bitsOf } from '../../src/ir/type.js';
import type { ConvAttrs } from '../../src/ops/conv.js';
import { type Conv, convTraits, convUse } from '../shared/contractions.js';
import { alignedInput, alignedOutput, withCopies } from './aligned.js';
import { directConv } from './conv-direct.js';
import { windowConv } from './conv-window.js';
import { depthwiseLaunch, isSmallDepthwise } from './depthwise.js';
import { epilogueFunctor, refuseFunctor } from './epilogue.js';
import { packedColumns, paddedRows, roundUp } from './packed-weights.js';
import { productLaunches } from './product.js';
import { isStem, stemLaunch } from './stem.js';
import { vectorWidth } from './vector-width.js';

export const convKernel = defineGpuKernel({
  ...convTraits,

  refuse: (node) =>
    node.attrs.kernel.length > 6 ? 'it has more than six spatial axes' : refuseFunctor(node, convUse(node)),

  emit: (node, k) => {
    const epilogue = epilogueFunctor(node, k, convUse(node));
    return withCopies(k, launchesOf(node, k, epilogue));
  },
});

function launchesOf(node: Conv, k: GpuBuilder, epilogue: Cpp): readonly Launch[] {
  const { attrs, inputs } = node;
  const t = dtypeOf(inputs[0]!);
  const c = shapeOf(inputs[1]!)[1]!;
  const literal = constantOf(inputs[1]!);
  const last =
    attrs.layout === 'NXC' && typeof c === 'number' && t !== 'f64' && numel(shapeOf(inputs[1]!)) !== 0;
  if (!last || attrs.kernel.length > 3) return [directConv(node, k, epilogue, false)];
  if (literal && isSmallDepthwise(node)) return [depthwiseLaunch(node, k, literal, epilogue)];
  if (literal && isStem(node)) return [stemLaunch(node, k, literal, epilogue)];
  if (literal && isPointwise(attrs)) return pointwiseConv(node, k, literal, epilogue);
  return windowConv(node, k, literal, c, epilogue);
}

/** Every pixel by itself: a product of matrices. */
const isPointwise = ({ kernel, strides, pads, groups }: ConvAttrs): boolean =>
  groups === 1 && kernel.every((d) => d === 1) && strides.every((d) => d === 1) && pads.every((d) => d === 0);

function pointwiseConv(node: Conv, k: GpuBuilder, literal: Literal, epilogue: Cpp): readonly Launch[] {
  const t = dtypeOf(node.inputs[0]!);
  const y = shapeOf(node.outputs[0]!);
  const [n, c] = [literal.shape[0]!, literal.shape[1]!];
  const pitch = roundUp(c, 128 / bitsOf[t]);
  return productLaunches(
    {
      element: t,
      a: { text: alignedInput(k, 0), deep: true, pitch: c, vector: vectorWidth([t], c) },
      b: {
        text: k.weight(packedColumns(literal, 1, c, n, true)),
        deep: true,
        pitch,
        vector: 128 / bitsOf[t],
        lines: paddedRows(n),
        constant: true,
      },
      rows: numel(y.slice(0, -1)),
      columns: n,
      depth: c,
      outer: [],
      result: alignedOutput(k),
      resultType: dtypeOf(node.outputs[0]!),
      epilogue,
    },
    k,
  );
}
