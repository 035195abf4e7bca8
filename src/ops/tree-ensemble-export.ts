import { literalOf } from '../ir/literal.js';
import type { DType } from '../ir/type.js';
import { int, ints, type OnnxAttr, type OnnxEmitter } from './onnx-emitter.js';
import { aggregations, branchModes, type Trees } from './tree-ensemble.js';

/** Writes trees as the newest TreeEnsemble; a leaf of several votes becomes as many trees of one vote each. */
export function exportedTrees(
  a: {
    readonly trees: Trees;
    readonly columns: number;
    readonly aggregate: (typeof aggregations)[number];
    readonly base: readonly number[];
    readonly dtype: DType;
  },
  x: string,
  e: OnnxEmitter,
): string {
  const t = a.trees;
  const type = t.splits.dtype;
  const starts = t.leafStart.numbers();
  const votes = Math.max(1, ...starts.slice(1).map((end, i) => end - starts[i]!));
  const [yes, no, modes] = [t.yes.numbers(), t.no.numbers(), t.modes.numbers()];
  const copies = Array.from({ length: votes }, (_, vote) => vote);
  const leaves = starts.length - 1;
  // Vote v of leaf i, or a vote for nothing where it has fewer.
  const entry = (leaf: number, vote: number): number =>
    starts[leaf]! + vote < starts[leaf + 1]! ? starts[leaf]! + vote : -1;
  const [targets, weights] = [t.targets.numbers(), t.weights.numbers()];
  const leafIds = copies.flatMap((v) => Array.from({ length: leaves }, (_, i) => entry(i, v)));
  const lone = t.roots.numbers().filter((r) => r < 0);
  const loneAt = (r: number): number => modes.length + lone.indexOf(r);
  const size = modes.length + lone.length;
  const child = (of: readonly number[]): readonly number[] =>
    copies.flatMap((v) => [
      ...of.map((c) => (c < 0 ? -1 - c + v * leaves : c + v * size)),
      ...lone.map((r) => -1 - r + v * leaves),
    ]);
  const isLeaf = (of: readonly number[]): readonly number[] =>
    copies.flatMap(() => [...of.map((c) => Number(c < 0)), ...lone.map(() => 1)]);
  const perNode = (of: readonly number[]): readonly number[] =>
    copies.flatMap(() => [...of, ...lone.map(() => 0)]);
  const real = (values: readonly number[]): OnnxAttr => ({
    kind: 'tensor',
    value: literalOf(type, [values.length], values),
  });
  const sets = t.sets.numbers();
  const members = t.members.numbers();
  const listed: number[] = [];
  // Sets are listed in the order of a walk, true branches first; their trees have one vote a leaf.
  const stack = [...t.roots.numbers()].reverse();
  const seen = new Set<number>();
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at < 0 || seen.has(at)) continue;
    seen.add(at);
    if (branchModes[modes[at]!] === 'member')
      listed.push(...members.slice(sets[at], sets[at + 1]), Number.NaN);
    stack.push(no[at]!, yes[at]!);
  }
  const modeBytes = perNode(modes);
  const result = e.node(
    'TreeEnsemble',
    [x],
    {
      n_targets: int(a.columns),
      aggregate_function: int(aggregations.indexOf(a.aggregate)),
      tree_roots: ints(
        copies.flatMap((v) => t.roots.numbers().map((r) => (r < 0 ? loneAt(r) : r) + v * size)),
      ),
      nodes_modes: { kind: 'tensor', value: literalOf('u8', [modeBytes.length], modeBytes) },
      nodes_featureids: ints(perNode(t.features.numbers())),
      nodes_splits: real(perNode(t.splits.numbers())),
      nodes_truenodeids: ints(child(yes)),
      nodes_falsenodeids: ints(child(no)),
      nodes_trueleafs: ints(isLeaf(yes)),
      nodes_falseleafs: ints(isLeaf(no)),
      nodes_missing_value_tracks_true: ints(perNode(t.missing.numbers())),
      ...(listed.length > 0 ? { membership_values: real(listed) } : {}),
      leaf_targetids: ints(leafIds.map((i) => (i < 0 ? 0 : targets[i]!))),
      leaf_weights: real(leafIds.map((i) => (i < 0 ? 0 : weights[i]!))),
    },
    1,
    'ai.onnx.ml',
    5,
  )[0]!;
  if (a.base.length === 0) return result;
  return e.one('Add', [result, e.constant(type, [1, a.base.length], a.base)]);
}
