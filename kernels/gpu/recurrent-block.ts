import { type Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { type GpuTarget, warpOf } from '../../codegen/target.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf } from '../../src/ir/type.js';
import { directionsOf, stepsAndBatch } from '../../src/ops/recurrent.js';
import { flag } from '../shared/elements.js';
import type { Recurrent } from '../shared/recurrent.js';
import { packedStates, roundUp } from './packed-weights.js';
import { cellText, given, headText, initialStates, lastResults, rowsOf } from './recurrent-parts.js';
import { sharedBytesOf } from './tiles.js';
import { manyBlocks, typical } from './vector-width.js';

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

export function blockForm({ inputs, attrs: a }: Recurrent, target: GpuTarget): BlockForm | undefined {
  const rows = rowsOf(a);
  const threads = roundUp(rows, warpOf(target));
  if (threads > 1024) return undefined;
  const whole = 128 / bitsOf[dtypeOf(inputs[0]!)];
  const chunks = Math.ceil(a.hidden / whole);
  const sequences = directionsOf(a) * typical(stepsAndBatch(shapeOf(inputs[0]!), a)[1]);
  const items = sequences <= manyBlocks ? 1 : sequences <= 2 * manyBlocks || threads > 512 ? 2 : 4;
  // Four registers each, of the 64 to 128 that a thread has.
  const held = Math.min(chunks, threads > 640 || items === 4 ? 6 : threads > 512 || items === 2 ? 10 : 16);
  const gates = rows + (a.cell === 'gru' ? a.hidden : 0);
  const floats = items * (2 * chunks * whole + gates) * 4;
  const room = Math.floor((sharedBytesOf(target) - floats) / (rows * 16));
  if (room < 0) return undefined;
  const kept = Math.min(chunks - held, room);
  if ((chunks - held - kept) * rows * 16 > mostRead) return undefined;
  return { items, held, kept, threads, shared: kept * rows * 16 + floats };
}

export function sequenceLaunches(
  node: Recurrent,
  k: GpuBuilder,
  inputs: Cpp,
  { items, held, kept, threads, shared }: BlockForm,
): readonly Launch[] {
  const { attrs: a } = node;
  k.include('ait/gpu/recurrent_block.h');
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
