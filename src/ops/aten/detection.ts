import { dtypeOf, shapeOf } from '../../ir/graph.js';
import { scalarLiteral } from '../../ir/literal.js';
import { nonMaxSuppression } from '../boxes.js';
import { constant } from '../constant.js';
import { slicedAxis } from '../slice.js';
import type { AtenConverter, AtenMap } from './aten-node.js';
import { reshaped } from './shapes.js';

/** The boxes to keep, best first: those of one class in one image. */
const nms: AtenConverter = (n, b) => {
  const [boxes, scores] = [n.tensor('dets'), n.tensor('scores')];
  if (dtypeOf(boxes) !== 'f32' || dtypeOf(scores) !== 'f32') n.refuse('the boxes are not float32');
  const all = shapeOf(boxes)[0]!;
  const kept = n.result().shape[0]!;
  const overlap = b(constant, [], { value: scalarLiteral('f32', Number(n.number('iou_threshold'))) });
  const given = [reshaped(b, boxes, [1, all, 4]), reshaped(b, scores, [1, 1, all]), overlap];
  const [count, rows] = b.all(nonMaxSuppression, given, { limit: all, centre: false, scored: false });
  n.bind(kept, count!, 0);
  const places = slicedAxis(b, slicedAxis(b, rows!, 0, 0, kept), 1, 2, 1);
  return reshaped(b, places, [kept]);
};

/** Operators of torchvision, with their namespace. */
export const detection: AtenMap = { 'torchvision.nms': nms };
