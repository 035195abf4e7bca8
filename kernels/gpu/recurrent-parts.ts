import { Cpp, cpp, ctype, join, number } from '../../codegen/cpp.js';
import type { GpuBuilder } from '../../codegen/gpu/builder.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import {
  directionsOf,
  gatesOf,
  inputIndex,
  type RecurrentAttrs,
  type RecurrentInput,
  stepsAndBatch,
} from '../../src/ops/recurrent.js';
import type { Cell } from '../../src/ops/recurrent-activations.js';
import { flag, nullPointer } from '../shared/elements.js';
import { lengthType, type Recurrent } from '../shared/recurrent.js';
import { int } from './index-text.js';

/** Rows of W and R of one direction. */
export const rowsOf = (a: RecurrentAttrs): number => gatesOf[a.cell] * a.hidden;

export const cellText: Readonly<Record<Cell, Cpp>> = {
  rnn: cpp`ait::gpu::Cell::Rnn`,
  gru: cpp`ait::gpu::Cell::Gru`,
  lstm: cpp`ait::gpu::Cell::Lstm`,
};

/** An input that a recurrent operator may lack, or a null pointer. */
export function given({ inputs, attrs }: Recurrent, k: GpuBuilder, which: RecurrentInput): Cpp {
  const at = inputIndex(attrs, which);
  return at === undefined ? nullPointer(inputs[0]!) : k.input(at);
}

/** The arguments that every function of the steps begins with: the sequences, the activations, the parts of a cell. */
export function headText(
  node: Recurrent,
  k: GpuBuilder,
  bias: Cpp,
): { readonly sequences: Cpp; readonly functions: Cpp; readonly parts: Cpp } {
  const { inputs, attrs: a } = node;
  const t = ctype[dtypeOf(inputs[0]!)];
  const [steps, batch] = stepsAndBatch(shapeOf(inputs[0]!), a);
  const at = inputIndex(a, 'lengths');
  const lengths = at === undefined ? cpp`nullptr` : k.input(at);
  const places = [
    k.fresh(steps),
    int(k.fresh(batch)),
    cpp`${directionsOf(a)}`,
    flag(a.direction === 'reverse'),
  ];
  const sequences = cpp`ait::gpu::Sequences<${lengthType(node)}>{${join([lengths, ...places, flag(a.batchFirst)], ', ')}}`;
  const each = a.activations.length / directionsOf(a);
  const own = (d: number, i: number) =>
    a.activations[(d < directionsOf(a) ? d * each : 0) + (i < each ? i : 0)]!;
  const all = <T>(f: (d: number, i: number) => T): readonly T[] =>
    [0, 1].flatMap((d) => [0, 1, 2].map((i) => f(d, i)));
  const kinds = all((d, i) => cpp`ait::gpu::ActivationKind::${new Cpp(own(d, i).name)}`);
  const pairs = (f: (d: number, i: number) => number): Cpp => {
    const texts = all((d, i) => number(f(d, i)));
    return cpp`{{${join(texts.slice(0, 3), ', ')}}, {${join(texts.slice(3), ', ')}}}`;
  };
  const numbers = [number(a.clip), pairs((d, i) => own(d, i).alpha), pairs((d, i) => own(d, i).beta)];
  const functions = cpp`ait::gpu::Activations<${join(kinds, ', ')}>{${join(numbers, ', ')}}`;
  const parts = cpp`ait::gpu::CellParts<${t}>{${bias}, ${given(node, k, 'peepholes')}, ${a.hidden}, ${flag(a.inputForget)}}`;
  return { sequences, functions, parts };
}

/** Results of the last step: of every cell a state, of LSTM a memory. */
export const lastResults = ({ inputs, outputs }: Recurrent, k: GpuBuilder): readonly Cpp[] => [
  k.output(1),
  outputs.length > 2 ? k.output(2) : cpp`static_cast<${ctype[dtypeOf(inputs[0]!)]}*>(nullptr)`,
];

export const initialStates = (node: Recurrent, k: GpuBuilder): readonly Cpp[] => [
  given(node, k, 'h'),
  given(node, k, 'c'),
];
