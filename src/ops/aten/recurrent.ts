import { mul } from '../../ir/dim.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { concatenated } from '../concat.js';
import { expanded } from '../expand.js';
import type { Build } from '../op.js';
import { gatesOf, type RecurrentAttrs, recurrent } from '../recurrent.js';
import type { Activation, ActivationName, Cell } from '../recurrent-activations.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { scalarValue } from './operands.js';
import { permuted, reshaped } from './shapes.js';

/** Where PyTorch keeps each gate that the operator takes in turn. */
const gateOrder: Readonly<Record<Cell, readonly number[]>> = { rnn: [0], gru: [1, 0, 2], lstm: [0, 3, 1, 2] };

const activation = (name: ActivationName): Activation => ({ name, alpha: 0, beta: 0 });
const usual: Readonly<Record<Cell, readonly ActivationName[]>> = {
  rnn: ['Tanh'],
  gru: ['Sigmoid', 'Tanh'],
  lstm: ['Sigmoid', 'Tanh', 'Tanh'],
};

function reordered(b: Build, v: Value, cell: Cell, hidden: number): Value {
  const order = gateOrder[cell];
  return concatenated(
    b,
    order.map((gate) => slicedAxis(b, v, 0, gate * hidden, hidden)),
    0,
  );
}

const stacked = (b: Build, values: readonly Value[]): Value =>
  concatenated(
    b,
    values.map((v) => reshaped(b, v, [1, ...shapeOf(v)])),
    0,
  );

/** Layers one upon another; states of all layers and directions lie behind one another. */
function layers(n: AtenNode, b: Build, cell: Cell, activations: readonly ActivationName[]): readonly Value[] {
  if (!n.has('input') || n.target.endsWith('.data'))
    return n.refuse('sequences of several lengths packed together');
  const batchFirst = n.flag('batch_first', false);
  const bidirectional = n.flag('bidirectional', false);
  const biases = n.flag('has_biases', true);
  const directions = bidirectional ? 2 : 1;
  const count = n.int('num_layers', 1);
  const states = cell === 'lstm' ? n.tensors('hx') : [n.tensor('hx')];
  const given = n.tensor('input');
  const single = shapeOf(given).length === 2;
  const withBatch = single ? reshaped(b, given, [shapeOf(given)[0]!, 1, shapeOf(given)[1]!]) : given;
  const [h0, c0] = states.map((s) => (single ? reshaped(b, s, [shapeOf(s)[0]!, 1, shapeOf(s)[1]!]) : s));
  const params = n.tensors('params');
  const perCell = params.length / (count * directions);
  if (perCell !== (biases ? 4 : 2)) return n.refuse('the states are projected');
  const hidden = shapeOf(h0!)[2];
  if (typeof hidden !== 'number') return n.refuse('the size of the state is not known');
  let x = batchFirst && !single ? permuted(b, withBatch, [1, 0, 2]) : withBatch;
  const last: Value[][] = [[], []];
  for (let layer = 0; layer < count; layer++) {
    const cells = Array.from({ length: directions }, (_, d) => {
      const at = (layer * directions + d) * perCell;
      return params.slice(at, at + perCell).map((p) => reordered(b, p, cell, hidden));
    });
    const part = (s: Value): Value => slicedAxis(b, s, 0, layer * directions, directions);
    const bias = biases
      ? stacked(
          b,
          cells.map(([, , input, state]) => concatenated(b, [input!, state!], 0)),
        )
      : expanded(b, scalarValue(b, 0, dtypeOf(x)), [directions, 2 * gatesOf[cell] * hidden]);
    const attrs: RecurrentAttrs = {
      cell,
      hidden,
      direction: bidirectional ? 'bidirectional' : 'forward',
      activations: Array.from({ length: directions }, () => activations.map(activation)).flat(),
      clip: 0,
      linearBeforeReset: true,
      inputForget: false,
      batchFirst: false,
      present: ['bias', 'h', ...(cell === 'lstm' ? (['c'] as const) : [])],
    };
    const inputs = [
      x,
      stacked(
        b,
        cells.map((c) => c[0]!),
      ),
      stacked(
        b,
        cells.map((c) => c[1]!),
      ),
      bias,
      part(h0!),
    ];
    const results = b.all(recurrent, cell === 'lstm' ? [...inputs, part(c0!)] : inputs, attrs);
    const [steps, , batch] = shapeOf(results[0]!);
    x = reshaped(b, permuted(b, results[0]!, [0, 2, 1, 3]), [steps!, batch!, mul(directions, hidden)]);
    results.slice(1).forEach((v, i) => {
      last[i]!.push(v);
    });
  }
  const y = batchFirst && !single ? permuted(b, x, [1, 0, 2]) : x;
  const ends = last.filter((vs) => vs.length > 0).map((vs) => concatenated(b, vs, 0));
  return single ? [y, ...ends].map((v) => reshaped(b, v, [shapeOf(v)[0]!, shapeOf(v)[2]!])) : [y, ...ends];
}

const of =
  (cell: Cell, activations: readonly ActivationName[] = usual[cell]): AtenConverter =>
  (n, b) =>
    layers(n, b, cell, activations);

export const recurrents: AtenMap = {
  'lstm.input': of('lstm'),
  'gru.input': of('gru'),
  'rnn_tanh.input': of('rnn'),
  'rnn_relu.input': of('rnn', ['Relu']),
};
