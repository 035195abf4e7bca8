import type { Cpp } from '../../codegen/cpp.js';
import { defineTraits, type NodeOf } from '../../codegen/kernel.js';
import { mul, numel } from '../../src/ir/dim.js';
import { shapeOf } from '../../src/ir/graph.js';
import type { gatherElements, gatherNd } from '../../src/ops/gather.js';
import { nonzero, nonzeroCount } from '../../src/ops/nonzero.js';
import { scatterElements, scatterNd } from '../../src/ops/scatter.js';
import { unique } from '../../src/ops/unique.js';
import { type Arguments, requireAtMost, requireEqual } from './elements.js';

/** Fails where there turn out to be more indices than elements along an axis that they do not choose from. */
export function indicesCheck(
  { inputs, attrs: { axis } }: NodeOf<typeof gatherElements> | NodeOf<typeof scatterElements>,
  k: Arguments,
  name: string,
): Cpp | false {
  const [x, indices] = inputs.map(shapeOf);
  const others = indices!.flatMap((n, d) => (d === axis ? [] : [[n, x![d]!] as const]));
  return requireAtMost(k, others, `${name}: there are more indices than elements`);
}

export function gatherNdCheck(
  { inputs, attrs: { batch } }: NodeOf<typeof gatherNd>,
  k: Arguments,
): Cpp | false {
  const [x, indices] = inputs.map(shapeOf);
  const batches = x!.slice(0, batch).map((n, d) => [n, indices![d]!] as const);
  return requireEqual(k, batches, 'GatherND: the batches differ');
}

export const scatterElementsTraits = defineTraits({ op: scatterElements, inPlace: () => [0] });

export function updatesCheck(
  { inputs }: Pick<NodeOf<typeof scatterElements>, 'inputs'>,
  k: Arguments,
): Cpp | false {
  const [, indices, updates] = inputs.map(shapeOf);
  const pairs = indices!.map((n, d) => [n, updates![d]!] as const);
  return requireEqual(k, pairs, 'ScatterElements: there are not as many updates as indices');
}

export const scatterNdTraits = defineTraits({ op: scatterNd, inPlace: () => [0] });

export function scatterNdCheck(
  { inputs }: Pick<NodeOf<typeof scatterNd>, 'inputs'>,
  k: Arguments,
): Cpp | false {
  const [x, indices, updates] = inputs.map(shapeOf);
  const depth = indices!.at(-1) as number;
  const expected = [...indices!.slice(0, -1), ...x!.slice(depth)];
  const pairs = expected.map((n, d) => [n, updates![d] ?? 1] as const);
  return requireEqual(k, pairs, 'ScatterND: the updates do not fit the indices');
}

export const nonzeroCountTraits = defineTraits({
  op: nonzeroCount,
  work: ({ inputs }) => numel(shapeOf(inputs[0]!)),
});

export const nonzeroTraits = defineTraits({
  op: nonzero,
  work: ({ inputs }) => mul(4, numel(shapeOf(inputs[0]!))),
});

export const uniqueTraits = defineTraits({
  op: unique,
  work: ({ inputs }) => mul(60, numel(shapeOf(inputs[0]!))),
});
