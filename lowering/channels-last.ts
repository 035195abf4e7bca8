import { type Shape, sameShape } from '../src/ir/dim.js';
import {
  type Attrs,
  dtypeOf,
  emit,
  is,
  type Node,
  type Op,
  shapeOf,
  transform,
  type Value,
} from '../src/ir/graph.js';
import { conv } from '../src/ops/conv.js';
import { convInteger } from '../src/ops/conv-integer.js';
import { convTranspose } from '../src/ops/conv-transpose.js';
import { epilogueOperand } from '../src/ops/epilogue.js';
import { pool } from '../src/ops/pool.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { toChannelsFirst, toChannelsLast } from '../src/ops/window.js';
import type { SyncPass } from './steps.js';

/*
 * Gives operators with spatial axes the layout that the CPU kernels are fast in: channels last. Each is put
 * between two transposes; other passes move those together and cancel them. Runs before fusion: an epilogue
 * reads its operands in the layout of the result.
 */
export const channelsLast: SyncPass = {
  name: 'channels-last',
  run: (g) => transform(g, toLast),
};

function toLast(node: Node): readonly Value[] | undefined {
  if (is(node, conv)) return contraction(conv, node, 2);
  if (is(node, convTranspose)) return contraction(convTranspose, node, 2);
  if (is(node, convInteger)) return contraction(convInteger, node, 4);
  if (is(node, pool) && node.attrs.layout === 'NCX' && !node.attrs.indices)
    return between(pool, node, node.inputs[0]!, []);
  return undefined;
}

type Layered = Attrs & { readonly layout: 'NCX' | 'NXC' };

/** A node whose input 0 has the layout, and whose inputs behind its `own` are operands of its epilogue. */
function contraction<A extends Layered>(op: Op<A>, node: Node<A>, own: number): readonly Value[] | undefined {
  const [x, ...others] = node.inputs.slice(0, own);
  const extras = node.inputs.slice(own);
  if (node.attrs.layout === 'NXC' || dtypeOf(x!) === 'f64') return undefined;
  const out = shapeOf(node.outputs[0]!);
  const operands = extras.map((v) => operandToLast(v, out, node));
  if (operands.some((v) => v === undefined)) return undefined;
  return between(op, node, x!, [...others, ...(operands as readonly Value[])]);
}

function between<A extends Layered>(
  op: Op<A>,
  node: Node<A>,
  x: Value,
  others: readonly Value[],
): readonly Value[] {
  const rank = shapeOf(x).length;
  const { origin } = node;
  const image = emit(transpose, [x], { perm: toChannelsLast(rank) }, origin).outputs[0]!;
  const moved = emit(op, [image, ...others], { ...node.attrs, layout: 'NXC' }, origin).outputs[0]!;
  return emit(transpose, [moved], { perm: toChannelsFirst(rank) }, origin).outputs;
}

/** An operand of an epilogue for a result whose axes move. */
function operandToLast(
  v: Value,
  out: Shape,
  { origin }: { readonly origin: Node['origin'] },
): Value | undefined {
  const reshaped = (to: Shape): Value =>
    sameShape(to, shapeOf(v)) ? v : emit(reshape, [v], { shape: to }, origin).outputs[0]!;
  switch (epilogueOperand(out, shapeOf(v), 'NCX')) {
    case 'scalar':
      return v;
    case 'channel':
      return reshaped([out[1]!]);
    default: {
      const aligned = [...out.slice(shapeOf(v).length).map(() => 1), ...shapeOf(v)];
      return emit(transpose, [reshaped(aligned)], { perm: toChannelsLast(out.length) }, origin).outputs[0]!;
    }
  }
}
