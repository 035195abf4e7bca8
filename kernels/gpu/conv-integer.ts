import { type Cpp, cpp, ctype } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { constantOf } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { convInteger } from '../../src/ops/conv-integer.js';
import { channelsOf } from '../../src/ops/window.js';
import { tapsOf } from '../shared/window.js';
import { type ConvInteger, isOne, refuseConvPoints } from '../shared/zero-points.js';
import { alignedInput, alignedOutput, withCopies } from './aligned.js';
import {
  asBytes,
  byteUnit,
  filledBytes,
  leftPoint,
  packedBytes,
  pointsOf,
  refuseByteEpilogue,
} from './byte-operands.js';
import { mergedBytes, signedWeights } from './byte-weights.js';
import { directConv } from './conv-direct.js';
import { type Image, windowsText } from './conv-image.js';
import { tiledConv } from './conv-tiles.js';
import { epilogueFunctor } from './epilogue.js';
import { mergedGroups, packedWindows, roundUp } from './packed-weights.js';
import { splitsFor } from './splits.js';
import { chooseTile, type Problem } from './tiles.js';
import { typical, vectorWidth } from './vector-width.js';

export const convIntegerKernel = defineGpuKernel({
  op: convInteger,

  refuse: (node) =>
    node.attrs.kernel.length > 6
      ? 'it has more than six spatial axes'
      : (refuseConvPoints(node) ?? refuseByteEpilogue(node, node.attrs.layout)),

  work: ({ inputs, outputs }) => mul(2, numel(shapeOf(outputs[0]!)), numel(shapeOf(inputs[1]!).slice(1))),

  emit: (node, k) => {
    const { attrs, inputs } = node;
    const w = shapeOf(inputs[1]!);
    const counted = w.slice(0, 2).every((d) => typeof d === 'number' && d > 0);
    const tiled = attrs.layout === 'NXC' && counted && attrs.kernel.length <= 3 && numel(w) !== 0;
    return withCopies(k, tiled ? windowLaunches(node, k, Number(w[1])) : [direct(node, k)]);
  },
});

function direct(node: ConvInteger, k: GpuBuilder): Launch {
  const [x, w] = node.inputs.map((v) => ctype[dtypeOf(v)]);
  const step = isOne(shapeOf(node.inputs[3]!)) ? 0 : 1;
  const factors = cpp`ait::gpu::CentredFactors<${x}, ${w}>{${k.input(2)}, ${k.input(3)}, ${k.fresh(step)}}`;
  const epilogue = epilogueFunctor(node, k, { own: 4, sums: 'i32', layout: node.attrs.layout });
  return directConv(node, k, epilogue, false, factors);
}

/** The input's zero point, which is what padding holds; undefined where that is zero. */
const outsideOf = (k: GpuBuilder): Cpp | undefined => (leftPoint(k) === 0 ? undefined : asBytes(k.input(2)));

/** The image as it lies, or with the channels of each group filled up. */
function imageOf(k: GpuBuilder, groups: number, c: number, fill: Cpp | undefined): Image {
  const vector = vectorWidth(['i8'], c);
  if (vector >= 8) return { text: asBytes(alignedInput(k, 0)), channels: c, vector, before: [] };
  const channels = roundUp(c, c <= 8 ? 8 : 16);
  const width = channels % 16 === 0 ? 16 : 8;
  const pixels = numel(shapeOf(k.node.inputs[0]!).slice(0, -1));
  const filled = filledBytes(k, pixels, [groups, c, channels], width, fill);
  return { text: filled.text, channels, vector: width, before: [filled.before] };
}

function windowLaunches(node: ConvInteger, k: GpuBuilder, c: number): readonly Launch[] {
  k.include('ait/gpu/conv.h');
  const { attrs, inputs, outputs } = node;
  const [w, y] = [shapeOf(inputs[1]!), shapeOf(outputs[0]!)];
  const m = Number(channelsOf(y, 'NXC'));
  const taps = tapsOf(attrs);
  const constants = constantOf(inputs[1]!);
  const lines = { layout: 'rows', count: m, points: m, of: (i: number) => Math.floor(i / (c * taps)) };
  const own = constants && signedWeights(constants, constantOf(inputs[3]!), lines);
  const merged = own?.points ? mergedGroups(attrs.groups, c, m / attrs.groups) : 1;
  const weights = own && mergedBytes(own, attrs.groups, merged);
  const groups = attrs.groups / merged;
  const outside = outsideOf(k);
  const image = imageOf(k, groups, c * merged, outside);
  const depth = taps * image.channels;
  const ld = roundUp(depth, 16);
  const packing = { groups, merged: 1, padded: image.channels };
  const right = weights
    ? { ...pointsOf(k, weights, lines, depth), packed: k.weight(packedWindows(weights.signed, packing)) }
    : packedBytes(k, {
        ...{ matrices: 1, count: m, lineStep: numel(w.slice(1)), matrixStep: 0 },
        ...{ outer: taps, inner: c, padded: image.channels, outerStep: 1, innerStep: taps, pitch: ld },
      });
  const filled = outside !== undefined && attrs.pads.some((p) => p !== 0);
  const rows = numel(y.slice(0, -1));
  const problem: Problem = {
    rows: typical(rows),
    columns: m / groups,
    depth,
    count: groups,
    element: 'i8',
    mostSplits: splitsFor(rows),
  };
  const matrix = { size: m * ld, columns: m };
  const { unit, epilogue } = byteUnit(node, k, 'NXC', right, k.fresh(depth), matrix);
  const launches = tiledConv(
    {
      node,
      problem,
      image,
      weights: right.packed,
      ld,
      groups,
      taps,
      rows: k.fresh(rows),
      batch: k.fresh(shapeOf(inputs[0]!)[0]!),
      windows: windowsText(node, k, image.channels, groups * image.channels, filled ? outside : undefined),
      epilogue,
      result: { text: alignedOutput(k), type: dtypeOf(outputs[0]!) },
    },
    chooseTile(unit.tiles, problem, k.target, unit.sums),
    unit,
    k,
    filled,
  );
  return [...image.before, ...right.before, ...launches];
}
