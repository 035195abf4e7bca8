import { dtypeOf, type Node, shapeOf } from '../ir/graph.js';
import { channelsFirst, channelsLast } from './conv.js';
import { epilogueToOnnx } from './epilogue.js';
import type { GroupNormAttrs } from './norm.js';
import { float, int, type OnnxEmitter } from './onnx-emitter.js';
import { channelsOf, spatialOf, withSpatial } from './window.js';

/**
 * Groups of one channel each are instances. Before opset 21 the operator had a scale for each group, not for each
 * channel: there the groups become the channels of an instance normalization.
 */
export function groupNormToOnnx(
  node: Node<GroupNormAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): string {
  const { layout = 'NCX' } = node.attrs;
  const [x, ...parameters] = inputs.slice(0, 3);
  const rank = shapeOf(node.inputs[0]!).length;
  const y = firstToOnnx(node, [channelsFirst(x!, rank, layout, e), ...parameters], e);
  return epilogueToOnnx(node, 3, channelsLast(y, rank, layout, e), dtypeOf(node.inputs[0]!), inputs, e);
}

function firstToOnnx(
  { attrs: { groups, epsilon, layout = 'NCX' }, inputs: values }: Node<GroupNormAttrs>,
  inputs: readonly string[],
  e: OnnxEmitter,
): string {
  const [x, scale, bias] = inputs;
  const own = shapeOf(values[0]!);
  const shape = withSpatial(own[0]!, channelsOf(own, layout), spatialOf(own, layout), 'NCX');
  const t = dtypeOf(values[0]!);
  const normalized = (value: string | undefined, factor = scale, offset = bias): string =>
    e.one('InstanceNormalization', [value, factor, offset], { epsilon: float(epsilon) });
  if (groups === shape[1] && shape.length > 2 && t === 'f32') return normalized(x);
  if (e.opset >= 21)
    return e.one('GroupNormalization', inputs, { num_groups: int(groups), epsilon: float(epsilon) });
  const filled = (value: number): string =>
    e.constant(
      t,
      [groups],
      Array.from({ length: groups }, () => value),
    );
  const parts = e.one('Reshape', [x, e.constant('i64', [3], [0, groups, -1])]);
  const rows = normalized(parts, filled(1), filled(0));
  const back = e.one('Reshape', [rows, e.one('Shape', [x])]);
  const trailing = e.constant('i64', [shape.length - 1], [-1, ...shape.slice(2).map(() => 1)]);
  const aligned = (name: string | undefined): string => e.one('Reshape', [name, trailing]);
  return e.one('Add', [e.one('Mul', [back, aligned(scale)]), aligned(bias)]);
}
