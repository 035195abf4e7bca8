import { type Dim, type Shape, same, show } from '../ir/dim.js';
import { arg, cast } from '../ir/expr.js';
import { dtypeOf, type Requirement, shapeOf, type Value } from '../ir/graph.js';
import { isFloat, showType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { float, floats, int, ints, type OnnxAttrs } from './onnx-emitter.js';
import { type Build, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';
import { pointwise } from './pointwise.js';
import { type Activation, activationsOf, type Cell, takesAlpha, takesBeta } from './recurrent-activations.js';
import { equal } from './requirements.js';

/** Inputs that a recurrent operator may lack, in the order in which they follow x, W and R. */
export const optionalInputs = ['bias', 'lengths', 'h', 'c', 'peepholes'] as const;
export type RecurrentInput = (typeof optionalInputs)[number];

export type RecurrentAttrs = {
  readonly cell: Cell;
  readonly hidden: number;
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  /** Those of each direction, one direction after another. */
  readonly activations: readonly Activation[];
  /** Inputs of activations are clamped to [-clip, clip]; 0 does not clamp. */
  readonly clip: number;
  readonly linearBeforeReset: boolean;
  readonly inputForget: boolean;
  /** The batch comes first in x, the states and the results. */
  readonly batchFirst: boolean;
  readonly present: readonly RecurrentInput[];
};

export const gatesOf: Readonly<Record<Cell, number>> = { rnn: 1, gru: 3, lstm: 4 };
export const directionsOf = (a: RecurrentAttrs): number => (a.direction === 'bidirectional' ? 2 : 1);

/** Position of an optional input among the node's inputs. */
export const inputIndex = (a: RecurrentAttrs, which: RecurrentInput): number | undefined => {
  const at = a.present.indexOf(which);
  return at < 0 ? undefined : 3 + at;
};

/** Time steps and batch of x. */
export const stepsAndBatch = (x: Shape, a: RecurrentAttrs): readonly [Dim, Dim] =>
  a.batchFirst ? [x[1]!, x[0]!] : [x[0]!, x[1]!];

/** The shapes of the inputs behind x. */
function shapesOf(x: Shape, a: RecurrentAttrs): readonly Shape[] {
  const [directions, rows] = [directionsOf(a), gatesOf[a.cell] * a.hidden];
  const batch = stepsAndBatch(x, a)[1];
  const states = a.batchFirst ? [batch, directions, a.hidden] : [directions, batch, a.hidden];
  const optional: Readonly<Record<RecurrentInput, Shape>> = {
    bias: [directions, 2 * rows],
    lengths: [batch],
    h: states,
    c: states,
    peepholes: [directions, 3 * a.hidden],
  };
  return [
    [directions, rows, x[2]!],
    [directions, rows, a.hidden],
    ...a.present.map((which) => optional[which]),
  ];
}

/** ONNX RNN, GRU and LSTM: the states of all steps, the last state and, for LSTM, the last memory. */
export const recurrent: OpDef<RecurrentAttrs> = defineOp({
  name: 'recurrent',

  infer: (inputs, attrs) => {
    const [x] = inputs;
    const floating = inputs.filter((_, i) => i !== inputIndex(attrs, 'lengths'));
    const dtype = sameDtype('a recurrent operator', floating);
    const directions = directionsOf(attrs);
    if (!isFloat(dtype) || x!.shape.length !== 3 || inputs.length !== 3 + attrs.present.length)
      throw new CompileError('bad-inputs', `a recurrent operator does not take ${showType(x!)}`);
    const expected = shapesOf(x!.shape, attrs);
    inputs.slice(1).forEach((t, i) => {
      const due = expected[i]!;
      if (t.shape.length !== due.length || t.shape.some((d, j) => differ(d, due[j]!)))
        throw new CompileError('bad-weights', `${showType(t)} where [${due.map(show)}] belongs`);
    });
    const [steps, batch] = stepsAndBatch(x!.shape, attrs);
    const all = attrs.batchFirst
      ? [batch, steps, directions, attrs.hidden]
      : [steps, directions, batch, attrs.hidden];
    const last = tensor(
      dtype,
      attrs.batchFirst ? [batch, directions, attrs.hidden] : [directions, batch, attrs.hidden],
    );
    return [tensor(dtype, all), last, ...(attrs.cell === 'lstm' ? [last] : [])];
  },

  requires: ([x, ...others], attrs) => {
    const expected = shapesOf(x!.shape, attrs);
    const fits = (shape: Shape, due: Shape): readonly Requirement[] =>
      shape.map((d, i) => equal(d, due[i]!, 'an input has another size than the states ask for'));
    return others.flatMap((t, i) => fits(t.shape, expected[i]!));
  },

  onnx: {
    RNN: { 1: (n, b) => convert(n, b, 'rnn') },
    GRU: { 1: (n, b) => convert(n, b, 'gru') },
    LSTM: { 1: (n, b) => convert(n, b, 'lstm') },
  },

  toOnnx: ({ attrs }, inputs, e) => {
    const turn = (name: string | undefined, perm: readonly number[]): string | undefined =>
      name !== undefined && attrs.batchFirst ? e.one('Transpose', [name], { perm: ints(perm) }) : name;
    const given = (which: RecurrentInput): string | undefined => {
      const at = inputIndex(attrs, which);
      return at === undefined ? undefined : inputs[at];
    };
    const swap = [1, 0, 2];
    const args = [
      turn(inputs[0], swap),
      inputs[1],
      inputs[2],
      given('bias'),
      given('lengths'),
      turn(given('h'), swap),
      ...(attrs.cell === 'lstm' ? [turn(given('c'), swap), given('peepholes')] : []),
    ];
    while (args.at(-1) === undefined) args.pop();
    const results = attrs.cell === 'lstm' ? 3 : 2;
    const out = e.node(attrs.cell.toUpperCase(), args, recurrentAttributes(attrs), results);
    return out.map((name, i) => turn(name, i === 0 ? [2, 0, 1, 3] : swap)!);
  },
});

const differ = (a: Dim, b: Dim): boolean => typeof a === 'number' && typeof b === 'number' && !same(a, b);

/** The attributes of the ONNX operator in the layout that has the steps first. */
export function recurrentAttributes(a: RecurrentAttrs): OnnxAttrs {
  const alphas = a.activations.filter((f) => takesAlpha(f.name)).map((f) => f.alpha);
  const betas = a.activations.filter((f) => takesBeta(f.name)).map((f) => f.beta);
  return {
    hidden_size: int(a.hidden),
    direction: { kind: 'string', value: a.direction },
    activations: { kind: 'strings', value: a.activations.map((f) => f.name) },
    ...(alphas.length > 0 ? { activation_alpha: floats(alphas) } : {}),
    ...(betas.length > 0 ? { activation_beta: floats(betas) } : {}),
    ...(a.clip > 0 ? { clip: float(a.clip) } : {}),
    ...(a.cell === 'gru' ? { linear_before_reset: int(a.linearBeforeReset) } : {}),
    ...(a.cell === 'lstm' ? { input_forget: int(a.inputForget) } : {}),
  };
}

function convert(n: SourceNode, b: Build, cell: Cell): readonly Value[] {
  const r = shapeOf(n.input(2));
  const hidden = n.has('hidden_size') ? n.int('hidden_size') : r[2];
  if (typeof hidden !== 'number') return n.decline('the size of the state is not known');
  const direction = n.string('direction', 'forward').replace('foward', 'forward');
  if (direction !== 'forward' && direction !== 'reverse' && direction !== 'bidirectional')
    throw new CompileError('bad-attribute', `"${direction}" is not a direction`);
  const values = optionalInputs.map((_, i) => n.optional(3 + i));
  const attrs: RecurrentAttrs = {
    cell,
    hidden,
    direction,
    activations: activationsOf(n, cell, direction === 'bidirectional' ? 2 : 1),
    clip: n.float('clip', 0),
    linearBeforeReset: n.int('linear_before_reset', 0) !== 0,
    inputForget: n.int('input_forget', 0) !== 0,
    batchFirst: n.int('layout', 0) === 1,
    present: optionalInputs.filter((_, i) => values[i] !== undefined),
  };
  const inputs = [n.input(0), n.input(1), n.input(2), ...values.filter((v) => v !== undefined)];
  const t = dtypeOf(inputs[0]!);
  if (t !== 'f16' && t !== 'bf16') return b.all(recurrent, inputs, attrs);
  const wide = inputs.map((v) => (dtypeOf(v) === t ? b(pointwise, [v], { expr: cast('f32', arg(0)) }) : v));
  return b.all(recurrent, wide, attrs).map((v) => b(pointwise, [v], { expr: cast(t, arg(0)) }));
}
