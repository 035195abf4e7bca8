import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { constantOf, defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { gemmTile } from '../../codegen/target.js';
import { add, mul } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { type Literal, literal } from '../../src/ir/literal.js';
import {
  directionsOf,
  gatesOf,
  inputIndex,
  type RecurrentAttrs,
  type RecurrentInput,
  recurrent,
  stepsAndBatch,
} from '../../src/ops/recurrent.js';
import type { ActivationName, Cell } from '../../src/ops/recurrent-activations.js';
import { floatsOf } from './packed-weights.js';
import { Scratch } from './scratch.js';

type Recurrent = Node<RecurrentAttrs>;

export const recurrentKernel = defineKernel({
  op: recurrent,

  refuse: ({ inputs, attrs }) => {
    const t = dtypeOf(inputs[0]!);
    if (t !== 'f32') return `${t} has no recurrent kernel`;
    const lengths = inputIndex(attrs, 'lengths');
    return lengths !== undefined && !/^i(32|64)$/.test(dtypeOf(inputs[lengths]!))
      ? 'the lengths are no integers'
      : undefined;
  },

  work: ({ inputs, attrs }) => {
    const x = shapeOf(inputs[0]!);
    const [steps, batch] = stepsAndBatch(x, attrs);
    const rows = gatesOf[attrs.cell] * attrs.hidden * directionsOf(attrs);
    return mul(2, rows, steps, batch, add(x[2]!, attrs.hidden));
  },

  emit: (node, k) => emit(node, k),
});

/** The enumerations of rnn.h in their order. */
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
  k.include('ait/rnn.h');
  const { inputs, outputs, attrs } = node;
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
  const given = (which: RecurrentInput): Cpp => {
    const at = inputIndex(attrs, which);
    return at === undefined ? cpp`nullptr` : k.input(at);
  };
  const lengths = inputIndex(attrs, 'lengths');
  const index = lengths === undefined ? cpp`int32_t` : ctype[dtypeOf(inputs[lengths]!)];

  const scratch = new Scratch();
  const packed = packedAtCompileTime(node, k);
  let before: Cpp | false = false;
  let weights: Cpp;
  if (packed) weights = k.weight(packed);
  else {
    // The template asks for scratch memory itself: what is reserved first is what it gets.
    const gates = cpp`ait::gates_of(s.cell)`;
    scratch.floats(
      'work',
      cpp`s.directions * ((s.steps + 1) * s.batch * ${gates} * s.hidden + 3 * s.batch * s.hidden + 2 * s.batch + 96)`,
    );
    const block = cpp`ait::recurrent_weights(s.cell, s.input, s.hidden).size`;
    weights = scratch.floats('blocks', cpp`s.directions * ${block}`);
    before = cpp`ait::pack_recurrent(ctx, s, ${k.input(1)}, ${k.input(2)}, ${given('bias')}, ${weights});`;
  }
  const states = [given('h'), given('c'), given('peepholes')];
  const results = [k.output(0), k.output(1), outputs.length > 2 ? k.output(2) : cpp`nullptr`];
  return cpp`
    const ait::RecurrentShape s{${join(fields, ', ')}};
    ${scratch.text()}
    ${before}
    ait::recurrent<${index}>(ctx, s, ${join([k.input(0), weights, given('lengths'), ...states, ...results], ', ')});
  `;
}

const blocks = new WeakMap<Literal, Map<string, Literal>>();

/** The blocks that ait::pack_recurrent makes, when all weights are constants. */
function packedAtCompileTime({ inputs, attrs }: Recurrent, k: KernelBuilder): Literal | undefined {
  const [w, r] = [constantOf(inputs[1]!), constantOf(inputs[2]!)];
  const at = inputIndex(attrs, 'bias');
  const bias = at === undefined ? undefined : constantOf(inputs[at]!);
  if (!w || !r || (at !== undefined && !bias)) return undefined;
  const width = gemmTile(k.target).columns;
  const key = [r.key, bias?.key, attrs.cell, attrs.linearBeforeReset, width].join(' ');
  const known = blocks.get(w) ?? new Map<string, Literal>();
  blocks.set(w, known);
  const found = known.get(key) ?? pack(w, r, bias, attrs, width);
  known.set(key, found);
  return found;
}

function pack(w: Literal, r: Literal, bias: Literal | undefined, a: RecurrentAttrs, width: number): Literal {
  const h = a.hidden;
  const input = w.shape[2]!;
  const gates = gatesOf[a.cell];
  const rows = gates * h;
  const apart = a.cell === 'gru';
  const panels = (k: number, n: number): number => Math.ceil(n / width) * k * width;
  const whole = (n: number): number => Math.ceil(n / 16) * 16;
  const atR = panels(input, rows);
  const atHidden = atR + panels(h, apart ? 2 * h : rows);
  const atBias = atHidden + (apart ? panels(h, h) : 0);
  const atBiasHidden = atBias + whole(rows);
  const size = atBiasHidden + whole(h);
  const directions = w.shape[0]!;
  const out = new Float32Array(directions * size);
  const [ws, rs, bs] = [floatsOf(w), floatsOf(r), bias && floatsOf(bias)];
  for (let d = 0; d < directions; d++) {
    const to = d * size;
    panelsOf(ws, d * rows * input, input, rows, width, out, to);
    panelsOf(rs, d * rows * h, h, apart ? 2 * h : rows, width, out, to + atR);
    if (apart) panelsOf(rs, (d * rows + 2 * h) * h, h, h, width, out, to + atHidden);
    if (!bs) continue;
    const b = d * 2 * rows;
    const split = apart && a.linearBeforeReset;
    for (let i = 0; i < rows; i++)
      out[to + atBias + i] = bs[b + i]! + (split && i >= 2 * h ? 0 : bs[b + rows + i]!);
    if (split) for (let i = 0; i < h; i++) out[to + atBiasHidden + i] = bs[b + rows + 2 * h + i]!;
  }
  return literal('f32', [out.length], new Uint8Array(out.buffer));
}

/** The transpose of n rows of k elements, in panels. */
function panelsOf(
  from: Float32Array,
  start: number,
  k: number,
  n: number,
  width: number,
  out: Float32Array,
  at: number,
): void {
  for (let j = 0; j < n; j++) {
    const to = at + Math.floor(j / width) * k * width + (j % width);
    for (let i = 0; i < k; i++) out[to + i * width] = from[start + j * k + i]!;
  }
}
