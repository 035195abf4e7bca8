import { type Shape, sameShape } from '../src/ir/dim.js';
import type { Expr } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { constant } from '../src/ops/constant.js';
import { epilogueOperand } from '../src/ops/epilogue.js';
import { groupNorm } from '../src/ops/norm.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { literalAt } from './literals.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * Finds the group normalisations that exporters write as an instance normalisation of groups: the channels of
 * a group and what they hold become one axis, are normalised, get their axes back, and then a scale and a bias for
 * each channel. Runs on the model's own nodes, before any of them are fused or moved.
 */
export const recogniseGroups: SyncPass = {
  name: 'recognise-groups',
  run: (g) => settle(g, [on(reshape, grouped), on(pointwise, parameterised)]),
};

/** The number that every element is. */
function uniform(v: Value | undefined): number | undefined {
  const numbers = v && literalAt(v)?.numbers();
  return numbers?.every((x) => x === numbers[0]) ? numbers[0] : undefined;
}

function filled(like: Value, channels: number, value: number, node: Node): Value {
  const literal = literalOf(dtypeOf(like), [channels], new Array<number>(channels).fill(value));
  return builder(node.origin)(constant, [], { value: literal });
}

function grouped(node: Node<{ shape: Shape }>, readers: Readers): Value | undefined {
  const norm = node.inputs[0]!;
  if (!is(norm.node, groupNorm) || readers(norm) !== 1) return undefined;
  const [parts, scale, bias] = norm.node.inputs;
  if (!is(parts!.node, reshape)) return undefined;
  const x = parts!.node.inputs[0]!;
  const shape = shapeOf(x);
  const [batch, groups] = shapeOf(parts!);
  const { attrs } = norm.node;
  const [factor, summand] = [uniform(scale), uniform(bias)];
  const channels = shape[1];
  if (attrs.layout !== undefined || groups !== attrs.groups || !sameShape(node.attrs.shape, shape))
    return undefined;
  if (typeof channels !== 'number' || channels % attrs.groups !== 0 || !sameShape([batch!], [shape[0]!]))
    return undefined;
  if (factor === undefined || summand === undefined) return undefined;
  const parameters = [factor, summand].map((p) => filled(scale!, channels, p, node));
  return builder(node.origin)(groupNorm, [x, ...parameters], attrs);
}

/** A factor or a summand for each channel right behind a normalisation that has none yet. */
function parameterised(node: Node<{ expr: Expr }>, readers: Readers): Value | undefined {
  const { expr } = node.attrs;
  if (expr.kind !== 'call' || (expr.fn !== 'mul' && expr.fn !== 'add')) return undefined;
  const at = node.inputs.findIndex((v) => is(v.node, groupNorm));
  const [norm, other] = [node.inputs[at], node.inputs[1 - at]];
  if (!norm || !other || node.inputs.length !== 2 || !is(norm.node, groupNorm) || readers(norm) !== 1)
    return undefined;
  if (!expr.args.every((a) => a.kind === 'in') || expr.args.length !== 2) return undefined;
  const [x, scale, bias] = norm.node.inputs;
  const shape = shapeOf(x!);
  const out = shapeOf(node.outputs[0]!);
  if (!sameShape(shape, out) || norm.node.attrs.layout !== undefined) return undefined;
  if (dtypeOf(other) !== dtypeOf(scale!) || epilogueOperand(out, shapeOf(other), 'NCX') !== 'channel')
    return undefined;
  const free = uniform(bias) === 0 && (expr.fn === 'add' || uniform(scale) === 1);
  if (!free) return undefined;
  const b = builder(node.origin);
  const own = b(reshape, [other], { shape: [shape[1]!] });
  return b(groupNorm, expr.fn === 'mul' ? [x!, own, bias!] : [x!, scale!, own], norm.node.attrs);
}
