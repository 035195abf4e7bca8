import { type Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { mul } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { directionsOf, stepsAndBatch } from '../../src/ops/recurrent.js';
import { type Recurrent, recurrentTraits, refuseLengths } from '../shared/recurrent.js';
import { alignedInput, withCopies } from './aligned.js';
import { packedColumns, paddedRows, roundUp, wholeOf } from './packed-weights.js';
import { refuseTypes } from './pointwise.js';
import { type MatrixOperand, productLaunches } from './product.js';
import { blockForm, sequenceLaunches } from './recurrent-block.js';
import { given, rowsOf } from './recurrent-parts.js';
import { isWide, stepLaunches, wideSteps } from './recurrent-steps.js';
import { vectorWidth } from './vector-width.js';

export const recurrentKernel = defineGpuKernel({
  ...recurrentTraits,
  refuse: (node) => {
    const t = dtypeOf(node.inputs[0]!);
    if (!['f16', 'bf16', 'f32'].includes(t)) return `${t} has no recurrent kernel`;
    return refuseTypes(node) ?? refuseLengths(node);
  },
  emit: (node, k) => {
    const form = blockForm(node, k.target);
    const inputs = inputProduct(node, k);
    const steps = form
      ? sequenceLaunches(node, k, inputs.text, form)
      : isWide(node)
        ? wideSteps(node, k, inputs.text)
        : plainSteps(node, k, inputs.text);
    return withCopies(k, [...inputs.launches, ...steps]);
  },
});

/** The inputs of all steps times W, with the biases, as floats. */
function inputProduct(
  node: Recurrent,
  k: GpuBuilder,
): { readonly text: Cpp; readonly launches: readonly Launch[] } {
  const { inputs, attrs } = node;
  const [x, w] = [shapeOf(inputs[0]!), inputs[1]!];
  const [steps, batch] = stepsAndBatch(x, attrs);
  const t = dtypeOf(inputs[0]!);
  const depth = x[2]!;
  const columns = directionsOf(attrs) * rowsOf(attrs);
  const rows = mul(steps, batch);
  k.include('ait/gpu/recurrent.h');
  const text = k.scratch(cpp`float`, cpp`${k.fresh(rows)} * ${k.fresh(columns)} * 4`);
  const literal = constantOf(w);
  const right: MatrixOperand =
    literal && typeof depth === 'number' && depth > 0
      ? {
          text: k.weight(packedColumns(literal, 1, depth, columns, true)),
          deep: true,
          pitch: roundUp(depth, wholeOf(literal)),
          vector: wholeOf(literal),
          lines: paddedRows(columns),
        }
      : { text: alignedInput(k, 1), deep: true, pitch: depth, vector: vectorWidth([t], depth) };
  // A gate that is reset behind its product keeps the bias of R for itself.
  const apart = attrs.cell === 'gru' && attrs.linearBeforeReset ? 2 * attrs.hidden : rowsOf(attrs);
  const bias = cpp`${k.fresh(rowsOf(attrs))}), static_cast<int>(${k.fresh(apart)}`;
  const launches = productLaunches(
    {
      ...{ element: t, rows, columns, depth, outer: [], b: right },
      a: { text: alignedInput(k, 0), deep: true, pitch: depth, vector: vectorWidth([t], depth) },
      ...{ result: text, resultType: 'f32' as const },
      epilogue: cpp`ait::gpu::RecurrentBias<${ctype[t]}>{${given(node, k, 'bias')}, static_cast<int>(${bias})}`,
    },
    k,
  );
  return { text, launches };
}

function plainSteps(node: Recurrent, k: GpuBuilder, inputs: Cpp): readonly Launch[] {
  const { attrs: a } = node;
  const t = dtypeOf(node.inputs[2]!);
  const weights = alignedInput(k, 2);
  return stepLaunches(node, k, {
    ...{ inputs, weights, vector: vectorWidth([t], a.hidden) },
    bias: given(node, k, 'bias'),
    state: cpp`ait::gpu::PlainState{}`,
  });
}
