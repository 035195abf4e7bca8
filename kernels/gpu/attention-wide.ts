import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch, LaunchValue } from '../../codegen/gpu/builder.js';
import { mul, type Shape } from '../../src/ir/dim.js';
import { dtypeOf, type Node, shapeOf } from '../../src/ir/graph.js';
import { type AttentionAttrs, headsFirst } from '../../src/ops/attention.js';
import { denseStrides } from '../../src/ops/strides.js';
import { flag } from '../shared/elements.js';
import { alignedInput, alignedOutput, hostAddress } from './aligned.js';
import { headShapes, type Operands, stepsOf, view } from './attention-operands.js';
import { atMost, isMultiple, manyBlocks, typical } from './vector-width.js';

/** Depths of values that WgmmaRows has. */
const valueDepths = [40, 64, 80, 96, 128, 160];

interface Form {
  /** Keys of a tile. */
  readonly keys: number;
  /** Warpgroups with rows of their own, and warpgroups that share rows. */
  readonly groups: number;
  readonly shares: number;
  /** Tiles of keys and values under way. */
  readonly stages: number;
  /** Blocks that share a multiprocessor. */
  readonly blocks: number;
  /** Warpgroups multiply in turn. */
  readonly ordered: boolean;
}

const form = (
  keys: number,
  groups: number,
  shares: number,
  stages: number,
  blocks: number,
  ordered = false,
): Form => ({ keys, groups, shares, stages, blocks, ordered });

/** Whether a Hopper's own instructions compute this attention. */
export function isWide(node: Node<AttentionAttrs>, a: Operands, k: GpuBuilder): boolean {
  const { attrs } = a;
  if (!k.target.archs.includes('sm_90a') || a.type === 'f32') return false;
  const whole = a.whole && isMultiple(a.depth, 8) && isMultiple(a.valueDepth, 8);
  const fits = Math.max(atMost(a.depth), atMost(a.valueDepth)) <= valueDepths.at(-1)!;
  // The copy engine takes no step of nothing, but an axis of one may have any.
  const shapes = headShapes(node);
  const moves = shapes.every((shape, i) =>
    stepsOf(node, i)!.strides.every((step, axis) => step !== 0 || shape[axis] === 1),
  );
  return whole && fits && moves && !attrs.mask && attrs.softcap === 0 && attrs.scale > 0;
}

const ceil = (x: number, by: number): number => Math.ceil(x / by);

/** The form that was fastest on an H100 for such extents. */
function formOf(a: Operands, bounded: boolean): Form {
  const depth = Math.max(atMost(a.depth), atMost(a.valueDepth));
  const heads = typical(mul(a.batch, a.heads));
  const [queries, keys] = [typical(a.queries), typical(a.keys)];
  const blocks = heads * ceil(queries, 64);
  const single = keys > 64 && keys <= 80;
  if (depth > 128) {
    if (single) return form(80, 1, 1, 1, 1);
    return blocks >= 4 * manyBlocks ? form(64, 2, 1, 2, 1, true) : form(64, 1, 1, 4, 1);
  }
  if (depth > 64) {
    if (single) return form(80, 1, 1, 1, depth > 80 ? 2 : 3);
    if (keys > 64 && blocks <= 1.25 * manyBlocks) return form(64, 1, 2, 4, 1);
    return queries > 64 ? form(64, 2, 1, 3, 1, true) : form(64, 1, 1, 3, 2);
  }
  const tall = heads * ceil(queries, 256);
  const full = queries / (256 * ceil(queries, 256));
  if (tall >= 0.75 * manyBlocks && full >= 0.7 && !bounded) return form(64, 4, 1, 4, 1, keys >= 512);
  if (single) return form(80, 1, 1, 2, 2);
  return keys > 64 && blocks <= manyBlocks ? form(64, 1, 2, 4, 1) : form(64, 1, 1, 4, 3);
}

export function wideLaunches(node: Node<AttentionAttrs>, a: Operands, k: GpuBuilder): readonly Launch[] {
  k.include('ait/gpu/attention_sm90.h');
  const depth = ceil(atMost(a.depth), 16) * 16;
  const valueDepth = valueDepths.find((d) => d >= atMost(a.valueDepth))!;
  const { attrs } = a;
  const bounded = attrs.window !== undefined || attrs.lengths;
  const { keys, groups, shares, stages, blocks, ordered } = formOf(a, bounded);
  const rows = 64 * groups;
  const warpgroups = groups * shares;
  const panels = [ceil(depth, 64), ceil(valueDepth, 64)] as const;
  const tiles = Math.max(...panels) * rows + stages * keys * (panels[0] + panels[1]);
  const numbers = [depth, valueDepth, keys, groups, shares, stages].join(', ');
  const text = cpp`ait::gpu::WideAttention<${new Cpp(numbers)}, ${flag(bounded)}, ${flag(ordered)}>`;
  const result = view(alignedOutput(k), ctype[a.type], resultSteps(node), k);
  const { batch, heads, queries } = a.names;
  return [
    {
      body: cpp`
        ${a.shape(1)}
        ait::gpu::attention_sm90<${text}, ${ctype[a.type]}>(s, q_map, k_map, v_map, ${result});
      `,
      grid: [cpp`ait::gpu::blocks(${queries}, ${rows}) * ${heads} * ${batch}`],
      threads: 128 * warpgroups + (warpgroups === 4 ? 128 : 32),
      blocks,
      shared: cpp`${128 * tiles + 8 * (1 + 4 * stages)}`,
      values: [
        map('q_map', node, 0, a, rows, k),
        map('k_map', node, 1, a, keys, k),
        map('v_map', node, 2, a, keys, k),
      ],
    },
  ];
}

const resultSteps = ({ outputs, attrs }: Node<AttentionAttrs>): Shape =>
  headsFirst(denseStrides(shapeOf(outputs[0]!)), attrs.rowsFirst[3]);

/** How the copy engine sees q, k or v. */
function map(
  name: string,
  node: Node<AttentionAttrs>,
  i: 0 | 1 | 2,
  a: Operands,
  box: number,
  k: GpuBuilder,
): LaunchValue {
  const { offset, strides } = stepsOf(node, i)!;
  const shape = [
    a.batch,
    i === 0 ? a.heads : a.keyHeads,
    i === 0 ? a.queries : a.keys,
    i === 2 ? a.valueDepth : a.depth,
  ];
  const [batch, heads, rows, depth] = shape.map((d) => k.fresh(d)) as [Cpp, Cpp, Cpp, Cpp];
  const [perBatch, perHead, perRow] = strides.map((d) => k.fresh(d)) as [Cpp, Cpp, Cpp];
  const address = hostAddress(k, alignedInput(k, i));
  const boxes = cpp`ait::gpu::HeadBoxes{${batch}, ${heads}, ${rows}, ${depth}, ${perBatch}, ${perHead}, ${perRow}}`;
  return {
    type: cpp`ait::gpu::TensorMap`,
    name: new Cpp(name),
    value: cpp`ait::gpu::heads_map(ctx, (${address}) + ${k.fresh(offset)}, ${flag(dtypeOf(node.inputs[i]!) === 'bf16')}, ${boxes}, ${box})`,
    constant: true,
  };
}
