import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch, LaunchValue, Loop } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { warpOf } from '../../codegen/target.js';
import { mul } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import { directionsOf, gatesOf, stepsAndBatch } from '../../src/ops/recurrent.js';
import { flag } from '../shared/elements.js';
import type { Recurrent } from '../shared/recurrent.js';
import { noEpilogue } from './epilogue.js';
import { packedColumns, roundUp, wholeOf } from './packed-weights.js';
import { productLaunches } from './product.js';
import { cellText, given, headText, initialStates, lastResults, rowsOf } from './recurrent-parts.js';
import { typical, vectorWidth } from './vector-width.js';

export interface StepOperands {
  /** The inputs times W, and R as it lies, which may be read so many elements at a time. */
  readonly inputs: Cpp;
  readonly weights: Cpp;
  readonly vector: number;
  readonly bias: Cpp;
  /** What becomes of the state in its product with R, as recurrent_steps.h says. */
  readonly state: Cpp;
}

/** What the launches of steps have in common. */
interface Steps {
  readonly head: readonly Cpp[];
  readonly memory: Cpp;
  readonly loop: Loop;
  /** In front of and behind the steps; `operand` is what the first product takes besides. */
  readonly begin: (operand: Cpp) => Launch;
  readonly end: Launch;
  /** The launches of a step: one, or two where a GRU resets its state in front of the product. */
  readonly parts: readonly StepPart[];
  /** The arguments of a template that every function of a step begins with. */
  readonly form: (part: StepPart) => readonly Cpp[];
}
type StepPart = 'All' | 'Reset' | 'Hidden';

function stepsOf(node: Recurrent, k: GpuBuilder, bias: Cpp): Steps {
  const { attrs: a } = node;
  k.include('ait/gpu/recurrent_steps.h');
  const t = ctype[dtypeOf(node.inputs[0]!)];
  const [steps, batch] = stepsAndBatch(shapeOf(node.inputs[0]!), a);
  const { sequences, functions, parts } = headText(node, k, bias);
  const units = k.fresh(mul(directionsOf(a), batch, a.hidden));
  const memory = cpp`ait::gpu::RecurrentMemory{${k.scratch(cpp`float`, cpp`${units} * 5 * 4`)}, ${units}}`;
  const side = (name: string, args: readonly Cpp[]): Launch => ({
    body: cpp`ait::gpu::recurrent_${new Cpp(name)}<${flag(a.cell === 'lstm')}, ${t}>(${join([sequences, memory, cpp`${a.hidden}`, ...args], ', ')});`,
    grid: [cpp`ait::gpu::blocks(${units}, 256)`],
    threads: 256,
  });
  return {
    head: [sequences, functions, parts, memory],
    memory,
    loop: { index: cpp`step`, count: k.fresh(steps) },
    begin: (operand) => side('begin', [...initialStates(node, k), operand]),
    end: side('end', lastResults(node, k)),
    parts: a.cell === 'gru' && !a.linearBeforeReset ? ['Reset', 'Hidden'] : ['All'],
    form: (part) => [cellText[a.cell], flag(a.linearBeforeReset), cpp`ait::gpu::StepPart::${new Cpp(part)}`],
  };
}

const stepValue: LaunchValue = { type: cpp`int64_t`, name: cpp`step`, value: cpp`step` };

/** Few sequences: each step is a launch with a warp for each unit. */
export function stepLaunches(node: Recurrent, k: GpuBuilder, o: StepOperands): readonly Launch[] {
  const { attrs: a } = node;
  const batch = stepsAndBatch(shapeOf(node.inputs[0]!), a)[1];
  const steps = stepsOf(node, k, o.bias);
  const items = [1, 2, 4].find((n) => n >= typical(batch)) ?? 4;
  const warps = 4;
  const grid = [
    cpp`${Math.ceil(a.hidden / warps)}`,
    cpp`ait::gpu::blocks(${k.fresh(batch)}, ${items})`,
    cpp`${directionsOf(a)}`,
  ];
  const args = [...steps.head, o.state, cpp`step`, o.inputs, o.weights, k.output(0)];
  const stepOf = (part: StepPart): Launch => ({
    body: cpp`ait::gpu::recurrent_step<${join([...steps.form(part), cpp`${items}`, cpp`${o.vector}`], ', ')}>(${join(args, ', ')});`,
    grid,
    threads: warps * warpOf(k.target),
    values: [stepValue],
    loop: steps.loop,
  });
  const none = cpp`static_cast<${ctype[dtypeOf(node.inputs[0]!)]}*>(nullptr)`;
  return [steps.begin(none), ...steps.parts.map(stepOf), steps.end];
}

/** Sequences that make the products of a step worth a launch of their own. */
const manySequences = 32;

export const isWide = ({ inputs, attrs }: Recurrent): boolean =>
  constantOf(inputs[2]!) !== undefined &&
  typical(stepsAndBatch(shapeOf(inputs[0]!), attrs)[1]) >= manySequences;

/** Many sequences: the products of a step are an ordinary product of matrices, and a launch makes states of them. */
export function wideSteps(node: Recurrent, k: GpuBuilder, inputs: Cpp): readonly Launch[] {
  const { attrs: a } = node;
  const t = dtypeOf(node.inputs[0]!);
  const literal = constantOf(node.inputs[2]!)!;
  const batch = stepsAndBatch(shapeOf(node.inputs[0]!), a)[1];
  const [directions, rows, hidden] = [directionsOf(a), rowsOf(a), a.hidden];
  const steps = stepsOf(node, k, given(node, k, 'bias'));
  const items = k.fresh(mul(directions, batch));
  const operand = k.scratch(ctype[t], cpp`${items} * ${(hidden * bitsOf[t]) / 8}`);
  const sums = k.scratch(cpp`float`, cpp`${items} * ${rows * 4}`);
  const weights = k.weight(packedColumns(literal, directions, hidden, rows, true));
  const pitch = roundUp(hidden, wholeOf(literal));
  const first: Readonly<Record<StepPart, number>> = { All: 0, Reset: 0, Hidden: 2 };
  const count: Readonly<Record<StepPart, number>> = { All: gatesOf[a.cell], Reset: 2, Hidden: 1 };
  const stepOf = (part: StepPart): readonly Launch[] => {
    const columns = count[part] * hidden;
    const offset = first[part] * hidden * pitch;
    const product = productLaunches(
      {
        ...{ element: t, rows: batch, columns, depth: hidden },
        a: { text: operand, deep: true, pitch: hidden, vector: vectorWidth([t], hidden) },
        b: {
          text: offset === 0 ? weights : cpp`${weights} + ${offset}`,
          ...{ deep: true, pitch, vector: wholeOf(literal) },
        },
        outer: directions === 1 ? [] : [{ extent: 2, a: mul(batch, hidden), b: rows * pitch }],
        ...{ result: sums, resultType: 'f32', epilogue: noEpilogue(t) },
      },
      k,
    );
    const args = [...steps.head, cpp`step`, inputs, sums, operand, k.output(0)];
    const cells: Launch = {
      body: cpp`ait::gpu::recurrent_cells<${join(steps.form(part), ', ')}>(${join(args, ', ')});`,
      grid: [cpp`ait::gpu::blocks(${items} * ${hidden}, 256)`],
      threads: 256,
      values: [stepValue],
    };
    return [...product, cells].map((l) => ({ ...l, loop: steps.loop }));
  };
  return [steps.begin(operand), ...steps.parts.flatMap(stepOf), steps.end];
}
