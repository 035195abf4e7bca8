import { add, type Dim, numel, type Shape, sub } from '../../ir/dim.js';
import { arg, call, cast } from '../../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../../ir/graph.js';
import { castTo } from '../cast.js';
import { dims } from '../constant.js';
import { expanded } from '../expand.js';
import { gather } from '../gather.js';
import type { Build } from '../op.js';
import { pointwise } from '../pointwise.js';
import { iota } from '../range.js';
import { reduce } from '../reduce.js';
import { scatterNd } from '../scatter.js';
import type { AtenConverter, AtenMap, AtenNode } from './aten-node.js';
import { limit, numberOf, scalarValue } from './operands.js';
import { reshaped } from './shapes.js';
import { normOver } from './vector-norms.js';

const modes = ['sum', 'mean', 'max'] as const;

/** Rows of a table combined in bags that follow one another; an index of padding does not count. */
const embeddingBag: AtenConverter = (n, b) => {
  const weight = n.tensor('weight');
  const t = dtypeOf(weight);
  const width = shapeOf(weight)[1]!;
  const mode = modes[n.int('mode', 0)] ?? n.refuse('this way to combine rows is not known');
  const indices = castTo(b, n.tensor('indices'), 'i64');
  const offsets = castTo(b, n.tensor('offsets'), 'i64');
  const many = shapeOf(indices)[0]!;
  const bags = n.result().shape[0]!;
  const bag = bagOf(b, offsets, many, bags);
  const padding = paddingOf(n, b, shapeOf(weight)[0]!);
  const counts = padding ? b(pointwise, [indices, padding], { expr: call('ne', arg(0), arg(1)) }) : undefined;
  const neutral = mode === 'max' ? limit(t, 'lowest') : numberOf(0, t);
  let rows = b(gather, [weight, indices], { axis: 0 });
  if (n.has('per_sample_weights'))
    rows = b(pointwise, [rows, reshaped(b, n.tensor('per_sample_weights'), [many, 1])], {
      expr: call('mul', arg(0), arg(1)),
    });
  if (counts)
    rows = b(pointwise, [rows, reshaped(b, counts, [many, 1])], {
      expr: call('select', arg(1), arg(0), neutral),
    });
  const start = b(pointwise, [expanded(b, scalarValue(b, 0, t), [bags, width])], { expr: neutral });
  const places = reshaped(b, bag, [many, 1]);
  const combined = b(scatterNd, [start, places, rows], { reduction: mode === 'max' ? 'max' : 'add' });
  const sizes = bagSizes(b, places, bags, counts, many);
  const size = reshaped(b, sizes, [bags, 1]);
  const divisor = cast(t, call('max', arg(1), numberOf(1, 'i64')));
  const filled = call('gt', arg(1), numberOf(0, 'i64'));
  const y =
    mode === 'sum'
      ? combined
      : b(pointwise, [combined, size], {
          expr:
            mode === 'mean' ? call('div', arg(0), divisor) : call('select', filled, arg(0), numberOf(0, t)),
        });
  return [y, ...statistics(n, b, { mode, bag, sizes, weight, indices, y, rows })];
};

/** Which bag each index lies in: the last that begins at or before it. */
function bagOf(b: Build, offsets: Value, many: Dim, bags: Dim): Value {
  const places = b(iota, [], { start: 0, step: 1, count: many, dtype: 'i64' });
  const begun = b(pointwise, [reshaped(b, places, [many, 1]), offsets], {
    expr: cast('i64', call('le', arg(1), arg(0))),
  });
  const number = b(reduce, [begun], { kind: 'sum', axes: [1], keepdims: false });
  const last = b(dims, [], { dims: [sub(bags, 1)], dtype: 'i64', shape: [] });
  return b(pointwise, [number, last], {
    expr: call('min', call('sub', arg(0), numberOf(1, 'i64')), arg(1)),
  });
}

/** An index below 0 counts from the end, but for -1 of the operator that always has one: it means none. */
function paddingOf(n: AtenNode, b: Build, rows: Dim): Value | undefined {
  if (!n.has('padding_idx')) return undefined;
  const given = n.int('padding_idx');
  if (given < 0 && !n.target.endsWith('.padding_idx')) return undefined;
  return b(dims, [], { dims: [given < 0 ? add(rows, given) : given], dtype: 'i64', shape: [] });
}

function bagSizes(b: Build, places: Value, bags: Dim, counts: Value | undefined, many: Dim): Value {
  const none = expanded(b, scalarValue(b, 0, 'i64'), [bags]);
  const each = counts ? castTo(b, counts, 'i64') : expanded(b, scalarValue(b, 1, 'i64'), [many]);
  return b(scatterNd, [none, places, each], { reduction: 'add' });
}

interface Bags {
  readonly mode: (typeof modes)[number];
  readonly bag: Value;
  readonly sizes: Value;
  readonly weight: Value;
  readonly indices: Value;
  readonly y: Value;
  readonly rows: Value;
}

/** What training reads: the bag of each index, the sizes, and for maxima the index that each came from. */
function statistics(n: AtenNode, b: Build, s: Bags): readonly Value[] {
  const zeros = (shape: Shape): Value => expanded(b, scalarValue(b, 0, 'i64'), shape);
  const typed = (v: Value, i: number): Value => castTo(b, v, n.result(i).dtype);
  const rest: Value[] = [];
  for (let i = 1; i < n.outputCount && [1, 2, 3].some((k) => k >= i && n.wants(k)); i++) {
    if (i === 1) rest.push(typed(n.result(1).shape[0] === 0 ? zeros([0]) : s.bag, 1));
    else if (i === 2 || s.mode !== 'max')
      rest.push(typed(s.mode === 'sum' ? zeros(shapeOf(s.sizes)) : s.sizes, i));
    else rest.push(typed(winners(b, s), 3));
  }
  return rest;
}

/** For each bag and column the index whose row has the maximum, the first of several. */
function winners(b: Build, { bag, indices, y, rows, sizes }: Bags): Value {
  const [many, width] = shapeOf(rows) as [Dim, Dim];
  const column = (v: Value): Value => reshaped(b, v, [shapeOf(v)[0]!, 1]);
  const best = b(gather, [y, bag], { axis: 0 });
  const end = b(dims, [], { dims: [many], dtype: 'i64', shape: [] });
  const order = column(b(iota, [], { start: 0, step: 1, count: many, dtype: 'i64' }));
  const candidates = b(pointwise, [rows, best, order, end], {
    expr: call('select', call('eq', arg(0), arg(1)), arg(2), arg(3)),
  });
  const none = expanded(b, end, [shapeOf(sizes)[0]!, width]);
  const first = b(scatterNd, [none, column(bag), candidates], { reduction: 'min' });
  const within = b(pointwise, [first, end], {
    expr: call('min', arg(0), call('sub', arg(1), numberOf(1, 'i64'))),
  });
  const found = b(gather, [indices, within], { axis: 0 });
  return b(pointwise, [found, column(sizes)], {
    expr: call('select', call('gt', arg(1), numberOf(0, 'i64')), arg(0), numberOf(0, 'i64')),
  });
}

/** Rows that are looked up and longer than allowed are made as long as allowed. */
const renormed: AtenConverter = (n, b) => {
  const weight = n.tensor('self');
  const t = dtypeOf(weight);
  const [rows] = shapeOf(weight) as [Dim];
  const indices = castTo(b, n.tensor('indices'), 'i64');
  const count = numel(shapeOf(indices));
  const hit = b(
    scatterNd,
    [
      expanded(b, scalarValue(b, 0, 'i64'), [rows]),
      reshaped(b, indices, [count, 1]),
      expanded(b, scalarValue(b, 1, 'i64'), [count]),
    ],
    { reduction: 'none' },
  );
  const length = normOver(b, weight, [1], true, Number(n.number('norm_type')));
  const most = numberOf(Number(n.number('max_norm')), t);
  const long = call('and', cast('bool', arg(2)), call('gt', arg(1), most));
  const factor = call('div', most, call('add', arg(1), numberOf(1e-7, t)));
  return b(pointwise, [weight, length, reshaped(b, hit, [rows, 1])], {
    expr: call('select', long, call('mul', arg(0), factor), arg(0)),
  });
};

export const bags: AtenMap = {
  _embedding_bag: embeddingBag,
  _embedding_bag_forward_only: embeddingBag,
  'embedding_bag.padding_idx': embeddingBag,
  embedding_bag: embeddingBag,
  embedding_renorm: renormed,
};
