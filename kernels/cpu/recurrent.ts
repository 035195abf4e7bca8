import { type Cpp, cpp, join } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { directionsOf, inputIndex, type RecurrentInput, stepsAndBatch } from '../../src/ops/recurrent.js';
import type { ActivationName, Cell } from '../../src/ops/recurrent-activations.js';
import { lengthType, type Recurrent, recurrentTraits, refuseLengths } from '../shared/recurrent.js';
import { packedAtCompileTime } from './packed-recurrent.js';
import { Scratch } from './scratch.js';

export const recurrentKernel = defineKernel({
  ...recurrentTraits,

  refuse: (node) => {
    const t = dtypeOf(node.inputs[0]!);
    return t === 'f32' ? refuseLengths(node) : `${t} has no recurrent kernel`;
  },

  emit: (node, k) => emit(node, k),
});

/** The enumerations of cells.h in their order. */
const cells: readonly Cell[] = ['rnn', 'gru', 'lstm'];
const kinds: readonly ActivationName[] = [
  'Relu',
  'Tanh',
  'Sigmoid',
  'Affine',
  'LeakyRelu',
  'ThresholdedRelu',
  'ScaledTanh',
  'HardSigmoid',
  'Elu',
  'Softsign',
  'Softplus',
];

/** The bit pattern of a number as f32. */
const bitsOf = (x: number): number => new Int32Array(Float32Array.of(x).buffer)[0]!;

function emit(node: Recurrent, k: KernelBuilder): Cpp {
  const { attrs } = node;
  const given = (which: RecurrentInput): Cpp => {
    const at = inputIndex(attrs, which);
    return at === undefined ? cpp`nullptr` : k.input(at);
  };
  const scratch = new Scratch();
  const packed = packedAtCompileTime(node, k);
  let before: Cpp | false = false;
  let weights: Cpp;
  if (packed) weights = k.weight(packed);
  else {
    scratch.floats('work', workSize);
    const block = cpp`ait::recurrent_weights(s.cell, s.input, s.hidden).size`;
    weights = scratch.floats('blocks', cpp`s.directions * ${block}`);
    before = cpp`ait::pack_recurrent(ctx, s, ${k.input(1)}, ${k.input(2)}, ${given('bias')}, ${weights});`;
  }
  const shape = shapeText(node, k);
  return cpp`
    ${shape}
    ${scratch.text()}
    ${before}
    ait::recurrent<${lengthType(node)}>(ctx, s, ${join([k.input(0), weights, ...rest(node, k)], ', ')});
  `;
}

/**
 * Scratch memory that the template takes. It asks for it itself: what a kernel reserves first is what the
 * template gets.
 */
export const workSize = cpp`s.directions * ((s.steps + 1) * s.batch * ait::gates_of(s.cell) * s.hidden + 3 * s.batch * s.hidden + 2 * s.batch + 96)`;

/** Lengths, states, peepholes and results, as the template takes them behind the weights. */
export function rest({ attrs, outputs }: Recurrent, k: KernelBuilder): readonly Cpp[] {
  const inputs = (['lengths', 'h', 'c', 'peepholes'] as const).map((which) => {
    const at = inputIndex(attrs, which);
    return at === undefined ? cpp`nullptr` : k.input(at);
  });
  const results = [k.output(0), k.output(1), outputs.length > 2 ? k.output(2) : cpp`nullptr`];
  return [...inputs, ...results];
}

/** The text of an ait::RecurrentShape. */
export function shapeText({ inputs, attrs }: Recurrent, k: KernelBuilder): Cpp {
  k.include('ait/rnn.h');
  const x = shapeOf(inputs[0]!);
  const [steps, batch] = stepsAndBatch(x, attrs);
  const directions = directionsOf(attrs);
  // Every choice is a parameter: the template takes seconds to compile, and one text serves them all.
  const flag = (b: boolean): Cpp => cpp`${k.fresh(Number(b))} != 0`;
  const real = (x: number): Cpp => cpp`ait::bit_cast<float>(static_cast<int32_t>(${k.fresh(bitsOf(x))}))`;
  const each = attrs.activations.length / directions;
  const functions = [0, 1].map((d) => {
    const own = [0, 1, 2].map((i) => {
      const f = d < directions && i < each ? attrs.activations[d * each + i] : undefined;
      const kind = cpp`static_cast<ait::ActivationKind>(${k.fresh(f ? kinds.indexOf(f.name) : 0)})`;
      return cpp`{${kind}, ${real(f?.alpha ?? 0)}, ${real(f?.beta ?? 0)}}`;
    });
    return cpp`{${join(own, ', ')}}`;
  });
  const fields = [
    cpp`static_cast<ait::Cell>(${k.fresh(cells.indexOf(attrs.cell))})`,
    k.fresh(steps),
    k.fresh(batch),
    k.fresh(x[2]!),
    k.fresh(attrs.hidden),
    cpp`static_cast<int>(${k.fresh(directions)})`,
    flag(attrs.direction === 'reverse'),
    flag(attrs.batchFirst),
    flag(attrs.linearBeforeReset),
    flag(attrs.inputForget),
    real(attrs.clip),
    cpp`{${join(functions, ', ')}}`,
  ];
  return cpp`const ait::RecurrentShape s{${join(fields, ', ')}};`;
}
