import { arg, call } from '../ir/expr.js';
import { dtypeOf, type Value } from '../ir/graph.js';
import { type Literal, literalOf } from '../ir/literal.js';
import type { DType } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import type { Build, Converter, SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { softmax } from './softmax.js';
import { aggregations, branchModes, type Trees, treeEnsemble } from './tree-ensemble.js';

type Branch = {
  readonly mode: number;
  readonly feature: number;
  readonly split: number;
  readonly yes: number;
  readonly no: number;
  readonly missing: boolean;
  readonly set: readonly number[];
};
type Leaf = readonly { readonly target: number; readonly weight: number }[];

/** TreeEnsemble of opset 5: every leaf has one vote, and tensors hold the numbers. */
export function recentTrees(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const dtype = dtypeOf(n.input(0));
  const numbers = (name: string): readonly number[] => n.tensor(name)?.numbers() ?? [];
  const [features, modes, splits] = [
    n.ints('nodes_featureids'),
    numbers('nodes_modes'),
    numbers('nodes_splits'),
  ];
  const [yes, no] = [n.ints('nodes_truenodeids'), n.ints('nodes_falsenodeids')];
  const [yesLeaf, noLeaf] = [n.ints('nodes_trueleafs'), n.ints('nodes_falseleafs')];
  const missing = n.ints('nodes_missing_value_tracks_true', []);
  const [targets, weights] = [n.ints('leaf_targetids'), numbers('leaf_weights')];
  const child = (id: number, leaf: number): number => (leaf === 0 ? id : -1 - id);
  const branches = features.map(
    (feature, i): Branch => ({
      mode: modes[i]!,
      feature,
      split: splits[i]!,
      yes: child(yes[i]!, yesLeaf[i]!),
      no: child(no[i]!, noLeaf[i]!),
      missing: missing[i] === 1,
      set: [],
    }),
  );
  const leaves = targets.map((target, i): Leaf => [{ target, weight: weights[i]! }]);
  // A tree that is one leaf is written as a node both of whose branches are that leaf.
  const roots = n.ints('tree_roots');
  const sets = membersOf(branches, roots, numbers('membership_values'));
  return ensemble(n, b, {
    branches: branches.map((x, i) => ({ ...x, set: sets.get(i) ?? [] })),
    leaves,
    roots,
    columns: n.int('n_targets'),
    aggregate: aggregations[n.int('aggregate_function', 1)] ?? n.decline('an unknown aggregation'),
    transform: ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT'][n.int('post_transform', 0)] ?? '',
    base: [],
    dtype,
  });
}

/** Sets end in NaN and are listed in the order in which a walk, true branches first, meets their nodes. */
function membersOf(
  branches: readonly Branch[],
  roots: readonly number[],
  values: readonly number[],
): ReadonlyMap<number, readonly number[]> {
  const sets = new Map<number, readonly number[]>();
  let next = 0;
  const stack = [...roots].reverse();
  const seen = new Set<number>();
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const node = branches[at];
    if (at < 0 || !node || seen.has(at)) continue;
    seen.add(at);
    if (branchModes[node.mode] === 'member') {
      const end = values.findIndex((x, i) => i >= next && Number.isNaN(x));
      sets.set(at, values.slice(next, end < 0 ? undefined : end));
      next = end < 0 ? values.length : end + 1;
    }
    stack.push(node.no, node.yes);
  }
  return sets;
}

const classicModes = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ'];

/** TreeEnsembleRegressor: nodes are named by tree and number, and leaves are nodes among them. */
export function classicTrees(...[n, b]: Parameters<Converter>): ReturnType<Converter> {
  const numbers = (name: string): readonly number[] =>
    n.tensor(`${name}_as_tensor`)?.numbers() ?? n.floats(name, []);
  const [trees, ids, modes] = [n.ints('nodes_treeids'), n.ints('nodes_nodeids'), n.strings('nodes_modes')];
  const [features, splits] = [n.ints('nodes_featureids'), numbers('nodes_values')];
  const [yes, no] = [n.ints('nodes_truenodeids'), n.ints('nodes_falsenodeids')];
  const missing = n.ints('nodes_missing_value_tracks_true', []);
  const place = new Map<string, number>();
  let [nodes, leafCount] = [0, 0];
  ids.forEach((id, i) => {
    place.set(`${trees[i]}:${id}`, modes[i] === 'LEAF' ? -1 - leafCount++ : nodes++);
  });
  const find = (tree: number, id: number): number =>
    place.get(`${tree}:${id}`) ?? n.decline(`tree ${tree} has no node ${id}`);
  const branches = ids.flatMap((_, i): readonly Branch[] => {
    if (modes[i] === 'LEAF') return [];
    const mode = classicModes.indexOf(modes[i]!);
    if (mode < 0) n.decline(`there is no branch "${modes[i]}"`);
    const [tree, feature, split] = [trees[i]!, features[i]!, splits[i]!];
    return [
      {
        mode,
        feature,
        split,
        yes: find(tree, yes[i]!),
        no: find(tree, no[i]!),
        missing: missing[i] === 1,
        set: [],
      },
    ];
  });
  const leaves: { target: number; weight: number }[][] = Array.from({ length: leafCount }, () => []);
  const [targetTrees, targetNodes] = [n.ints('target_treeids'), n.ints('target_nodeids')];
  const [targets, weights] = [n.ints('target_ids'), numbers('target_weights')];
  targets.forEach((target, i) => {
    leaves[-1 - find(targetTrees[i]!, targetNodes[i]!)]?.push({ target, weight: weights[i]! });
  });
  const firsts = new Map<number, number>();
  ids.forEach((id, i) => {
    if (!firsts.has(trees[i]!)) firsts.set(trees[i]!, find(trees[i]!, id));
  });
  const name = n.string('aggregate_function', 'SUM').toLowerCase();
  return ensemble(n, b, {
    branches,
    leaves,
    roots: [...firsts.values()],
    columns: n.int('n_targets'),
    aggregate: aggregations.find((a) => a === name) ?? n.decline(`there is no aggregation "${name}"`),
    transform: n.string('post_transform', 'NONE'),
    base: numbers('base_values'),
    dtype: 'f32',
  });
}

interface Ensemble {
  readonly branches: readonly Branch[];
  readonly leaves: readonly Leaf[];
  readonly roots: readonly number[];
  readonly columns: number;
  readonly aggregate: (typeof aggregations)[number];
  readonly transform: string;
  readonly base: readonly number[];
  readonly dtype: DType;
}

function ensemble(n: SourceNode, b: Build, e: Ensemble): Value {
  checkTrees(e);
  if (e.aggregate !== 'sum' && e.leaves.some((l) => l.length !== 1))
    n.decline('leaves with several votes are not averaged or compared');
  const votes = b(treeEnsemble, [n.input(0)], {
    trees: tables(e),
    columns: e.columns,
    features: Math.max(0, ...e.branches.map((x) => x.feature + 1)),
    aggregate: e.aggregate,
    base: e.base,
    dtype: e.dtype,
  });
  switch (e.transform) {
    case 'NONE':
      return votes;
    case 'LOGISTIC':
      return b(pointwise, [votes], { expr: call('sigmoid', arg(0)) });
    case 'SOFTMAX':
      return b(softmax, [votes], { form: 'softmax', axis: 1 });
    default:
      return n.decline(`votes are transformed by ${e.transform}`);
  }
}

/** A walk must end, and stay inside the tables. */
function checkTrees({ branches, leaves, roots, columns }: Ensemble): void {
  const state = new Uint8Array(branches.length);
  const fail = (): never => {
    throw new CompileError('bad-trees', 'the trees refer to nodes that do not exist, or to themselves');
  };
  const stack = roots.map((at) => ({ at, leave: false }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { at, leave } = top;
    if (leave) state[at] = 2;
    else if (at < 0 ? !leaves[-1 - at] : !branches[at] || state[at] === 1) fail();
    else if (at >= 0 && state[at] === 0) {
      const { yes, no, mode } = branches[at]!;
      if (branchModes[mode] === undefined) fail();
      state[at] = 1;
      stack.push({ at, leave: true }, { at: yes, leave: false }, { at: no, leave: false });
    }
  }
  if (leaves.flat().some(({ target }) => target < 0 || target >= columns)) fail();
}

function tables({ branches, leaves, roots, dtype }: Ensemble): Trees {
  const whole = (values: readonly number[]): Literal => literalOf('i64', [values.length], values);
  const real = (values: readonly number[]): Literal =>
    literalOf(dtype === 'f64' ? 'f64' : 'f32', [values.length], values);
  const starts = (lists: readonly (readonly unknown[])[]): readonly number[] => {
    let sum = 0;
    return [0, ...lists.map((l) => (sum += l.length))];
  };
  const sets = branches.map((x) => x.set);
  return {
    roots: whole(roots),
    modes: whole(branches.map((x) => x.mode)),
    features: whole(branches.map((x) => x.feature)),
    splits: real(branches.map((x) => x.split)),
    yes: whole(branches.map((x) => x.yes)),
    no: whole(branches.map((x) => x.no)),
    missing: whole(branches.map((x) => Number(x.missing))),
    sets: whole(starts(sets)),
    members: real(sets.flat()),
    leafStart: whole(starts(leaves)),
    targets: whole(leaves.flat().map((x) => x.target)),
    weights: real(leaves.flat().map((x) => x.weight)),
  };
}
