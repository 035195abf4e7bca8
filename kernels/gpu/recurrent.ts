import { Cpp, cpp, ctype, join, number } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import type { GpuTarget } from '../../codegen/target.js';
import { warpOf } from '../../codegen/target.js';
import { add, type Dim, mul } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import {
  directionsOf,
  gatesOf,
  inputIndex,
  type RecurrentAttrs,
  type RecurrentInput,
  recurrent,
  stepsAndBatch,
} from '../../src/ops/recurrent.js';
import type { Cell } from '../../src/ops/recurrent-activations.js';
import { flag } from '../cpu/elements.js';
import { alignedInput, withCopies } from './aligned.js';
import { packedColumns, packedStates, paddedRows, roundUp, wholeOf } from './packed-weights.js';
import { refuseTypes } from './pointwise.js';
import { int, type MatrixOperand, productLaunches, typical, vectorOf } from './product.js';
import { sharedBytesOf } from './tiles.js';
import { manyBlocks } from './vector-width.js';

export type Recurrent = Node<RecurrentAttrs>;

export const refuseLengths = ({ inputs, attrs }: Recurrent): string | undefined => {
  const lengths = inputIndex(attrs, 'lengths');
  return lengths !== undefined && !/^i(32|64)$/.test(dtypeOf(inputs[lengths]!))
    ? 'the lengths are no integers'
    : undefined;
};

export const recurrentWork = ({ inputs, attrs }: Recurrent): Dim => {
  const x = shapeOf(inputs[0]!);
  const [steps, batch] = stepsAndBatch(x, attrs);
  return mul(2 * rowsOf(attrs) * directionsOf(attrs), steps, batch, add(x[2]!, attrs.hidden));
};

export const recurrentKernel = defineGpuKernel({
  op: recurrent,
  refuse: (node) => {
    const t = dtypeOf(node.inputs[0]!);
    if (!['f16', 'bf16', 'f32'].includes(t)) return `${t} has no recurrent kernel`;
    return refuseTypes(node) ?? refuseLengths(node);
  },
  work: recurrentWork,
  emit: (node, k) => {
    const form = blockForm(node, k.target);
    const inputs = inputProduct(node, k);
    const steps = form ? sequenceLaunches(node, k, inputs.text, form) : plainSteps(node, k, inputs.text);
    return withCopies(k, [...inputs.launches, ...steps]);
  },
});

/** Rows of W and R of one direction. */
export const rowsOf = (a: RecurrentAttrs): number => gatesOf[a.cell] * a.hidden;

const cellText: Readonly<Record<Cell, Cpp>> = {
  rnn: cpp`ait::gpu::Cell::Rnn`,
  gru: cpp`ait::gpu::Cell::Gru`,
  lstm: cpp`ait::gpu::Cell::Lstm`,
};

/** An input that a recurrent operator may lack, or a null pointer. */
function given({ inputs, attrs }: Recurrent, k: GpuBuilder, which: RecurrentInput): Cpp {
  const at = inputIndex(attrs, which);
  return at === undefined ? cpp`static_cast<const ${ctype[dtypeOf(inputs[0]!)]}*>(nullptr)` : k.input(at);
}

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
      : { text: alignedInput(k, 1), deep: true, pitch: depth, vector: vectorOf(t, depth) };
  // A gate that is reset behind its product keeps the bias of R for itself.
  const apart = attrs.cell === 'gru' && attrs.linearBeforeReset ? 2 * attrs.hidden : rowsOf(attrs);
  const bias = cpp`${k.fresh(rowsOf(attrs))}), static_cast<int>(${k.fresh(apart)}`;
  const launches = productLaunches(
    {
      ...{ element: t, rows, columns, depth, outer: [], b: right },
      a: { text: alignedInput(k, 0), deep: true, pitch: depth, vector: vectorOf(t, depth) },
      ...{ result: text, resultType: 'f32' as const },
      epilogue: cpp`ait::gpu::RecurrentBias<${ctype[t]}>{${given(node, k, 'bias')}, static_cast<int>(${bias})}`,
    },
    k,
  );
  return { text, launches };
}

/** The arguments that every function of recurrent.h begins with: the sequences, the activations, the parts of a cell. */
export function headText(
  node: Recurrent,
  k: GpuBuilder,
  bias: Cpp,
): { readonly sequences: Cpp; readonly functions: Cpp; readonly parts: Cpp } {
  const { inputs, attrs: a } = node;
  const t = ctype[dtypeOf(inputs[0]!)];
  const [steps, batch] = stepsAndBatch(shapeOf(inputs[0]!), a);
  const at = inputIndex(a, 'lengths');
  const index = at === undefined ? cpp`int32_t` : ctype[dtypeOf(inputs[at]!)];
  const lengths = at === undefined ? cpp`nullptr` : k.input(at);
  const places = [
    k.fresh(steps),
    int(k.fresh(batch)),
    cpp`${directionsOf(a)}`,
    flag(a.direction === 'reverse'),
  ];
  const sequences = cpp`ait::gpu::Sequences<${index}>{${join([lengths, ...places, flag(a.batchFirst)], ', ')}}`;
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
const lastResults = ({ inputs, outputs }: Recurrent, k: GpuBuilder): readonly Cpp[] => [
  k.output(1),
  outputs.length > 2 ? k.output(2) : cpp`static_cast<${ctype[dtypeOf(inputs[0]!)]}*>(nullptr)`,
];

const initialStates = (node: Recurrent, k: GpuBuilder): readonly Cpp[] => [
  given(node, k, 'h'),
  given(node, k, 'c'),
];

/** How a block holds the weights of a direction: see recurrent_sequence. */
interface BlockForm {
  readonly items: number;
  readonly held: number;
  readonly kept: number;
  readonly threads: number;
  readonly shared: number;
}

/** What a step may read anew in less time than another launch takes. */
const mostRead = 64 << 10;

function blockForm({ inputs, attrs: a }: Recurrent, target: GpuTarget): BlockForm | undefined {
  const rows = rowsOf(a);
  const threads = roundUp(rows, warpOf(target));
  if (threads > 1024) return undefined;
  const whole = 128 / bitsOf[dtypeOf(inputs[0]!)];
  const chunks = Math.ceil(a.hidden / whole);
  const sequences = directionsOf(a) * typical(stepsAndBatch(shapeOf(inputs[0]!), a)[1]);
  const items = sequences <= manyBlocks ? 1 : sequences <= 2 * manyBlocks || threads > 512 ? 2 : 4;
  // Four registers each, of the 64 or 128 that a thread has.
  const held = Math.min(chunks, threads <= 512 ? 16 : 6);
  const gates = rows + (a.cell === 'gru' ? a.hidden : 0);
  const floats = items * (2 * chunks * whole + gates) * 4;
  const room = Math.floor((sharedBytesOf(target) - floats) / (rows * 16));
  if (room < 0) return undefined;
  const kept = Math.min(chunks - held, room);
  if ((chunks - held - kept) * rows * 16 > mostRead) return undefined;
  return { items, held, kept, threads, shared: kept * rows * 16 + floats };
}

function sequenceLaunches(
  node: Recurrent,
  k: GpuBuilder,
  inputs: Cpp,
  { items, held, kept, threads, shared }: BlockForm,
): readonly Launch[] {
  const { attrs: a } = node;
  const { text: weights, launches } = packedWeights(node, k);
  const { sequences, functions, parts } = headText(node, k, given(node, k, 'bias'));
  const batch = stepsAndBatch(shapeOf(node.inputs[0]!), a)[1];
  const form = [
    cellText[a.cell],
    flag(a.linearBeforeReset),
    ...[a.hidden, items, held, kept].map((n) => cpp`${n}`),
  ];
  const args = [inputs, weights, ...initialStates(node, k), k.output(0), ...lastResults(node, k)];
  return [
    ...launches,
    {
      body: cpp`ait::gpu::recurrent_sequence<${join(form, ', ')}>(${join([sequences, functions, parts, ...args], ', ')});`,
      grid: [cpp`ait::gpu::blocks(${k.fresh(batch)}, ${items})`, cpp`${directionsOf(a)}`],
      threads,
      shared: cpp`${shared}`,
    },
  ];
}

/** R as one block reads it, packed when the run begins unless it is a constant. */
function packedWeights(
  { inputs, attrs }: Recurrent,
  k: GpuBuilder,
): { readonly text: Cpp; readonly launches: readonly Launch[] } {
  const r = inputs[2]!;
  const literal = constantOf(r);
  if (literal) return { text: k.weight(packedStates(literal)), launches: [] };
  const t = dtypeOf(r);
  const whole = 128 / bitsOf[t];
  const [rows, directions] = [rowsOf(attrs), directionsOf(attrs)];
  const size = directions * rows * roundUp(attrs.hidden, whole);
  const text = k.scratch(ctype[t], cpp`${(size * bitsOf[t]) / 8}`);
  return {
    text,
    launches: [
      {
        body: cpp`ait::gpu::pack_recurrent(${k.input(2)}, ${text}, ${directions}, ${rows}, ${attrs.hidden});`,
        grid: [cpp`${Math.ceil(size / 256)}`],
        threads: 256,
      },
    ],
  };
}

function plainSteps(node: Recurrent, k: GpuBuilder, inputs: Cpp): readonly Launch[] {
  const { attrs: a } = node;
  const t = dtypeOf(node.inputs[2]!);
  const weights = alignedInput(k, 2);
  return stepLaunches(node, k, {
    ...{ inputs, weights, vector: vectorOf(t, a.hidden) },
    bias: given(node, k, 'bias'),
    state: cpp`ait::gpu::PlainState{}`,
  });
}

export interface StepOperands {
  /** The inputs times W, and R as it lies, which may be read so many elements at a time. */
  readonly inputs: Cpp;
  readonly weights: Cpp;
  readonly vector: number;
  readonly bias: Cpp;
  /** What becomes of the state in its product with R, as recurrent.h says. */
  readonly state: Cpp;
}

/** A launch a step, two where a GRU resets its state in front of the product, with a warp for each unit. */
export function stepLaunches(node: Recurrent, k: GpuBuilder, o: StepOperands): readonly Launch[] {
  const { attrs: a } = node;
  const t = ctype[dtypeOf(node.inputs[0]!)];
  const [steps, batch] = stepsAndBatch(shapeOf(node.inputs[0]!), a);
  const { sequences, functions, parts } = headText(node, k, o.bias);
  const units = k.fresh(mul(directionsOf(a), batch, a.hidden));
  const memory = cpp`ait::gpu::RecurrentMemory{${k.scratch(cpp`float`, cpp`${units} * 5 * 4`)}, ${units}}`;
  const has = flag(a.cell === 'lstm');
  const each = { grid: [cpp`ait::gpu::blocks(${units}, 256)`], threads: 256 };
  const sides = (name: string, args: readonly Cpp[]): Launch => ({
    body: cpp`ait::gpu::recurrent_${new Cpp(name)}<${has}, ${t}>(${join([sequences, memory, cpp`${a.hidden}`, ...args], ', ')});`,
    ...each,
  });
  const twice = a.cell === 'gru' && !a.linearBeforeReset;
  const items = [1, 2, 4].find((n) => n >= typical(batch)) ?? 4;
  const warps = 4;
  const loop = { index: cpp`step`, count: k.fresh(steps) };
  const stepOf = (part: string): Launch => {
    const form = [
      cellText[a.cell],
      flag(a.linearBeforeReset),
      cpp`ait::gpu::StepPart::${new Cpp(part)}`,
      cpp`${items}`,
      cpp`${o.vector}`,
    ];
    const args = [sequences, functions, parts, memory, o.state, cpp`step`, o.inputs, o.weights, k.output(0)];
    return {
      body: cpp`ait::gpu::recurrent_step<${join(form, ', ')}>(${join(args, ', ')});`,
      grid: [
        cpp`${Math.ceil(a.hidden / warps)}`,
        cpp`ait::gpu::blocks(${k.fresh(batch)}, ${items})`,
        cpp`${directionsOf(a)}`,
      ],
      threads: warps * warpOf(k.target),
      values: [{ type: cpp`int64_t`, name: cpp`step`, value: cpp`step` }],
      loop,
    };
  };
  return [
    sides('begin', initialStates(node, k)),
    ...(twice ? ['Reset', 'Hidden'] : ['All']).map(stepOf),
    sides('end', lastResults(node, k)),
  ];
}
