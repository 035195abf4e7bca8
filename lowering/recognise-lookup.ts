import { isStatic, numel } from '../src/ir/dim.js';
import { arg, call, type Expr, constant as konst } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { gather } from '../src/ops/gather.js';
import { matmul } from '../src/ops/matmul.js';
import { builder } from '../src/ops/op.js';
import { like, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { literalAt } from './literals.js';
import { inlineRegion } from './regions.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * A product of one-hot rows and a table is a look-up: exporters compare indices with 0, 1, 2, … and multiply.
 * The rows are gathered instead; an index outside the table yields zeros, as no comparison holds then. Runs
 * on the model's own nodes, once constants are known.
 */
export const recogniseLookup: SyncPass = {
  name: 'recognise-lookup',
  run: (g) => settle(g, [on(matmul, asLookup)]),
};

function asLookup(
  node: Node<{ transA: boolean; transB: boolean; epilogue?: Expr | undefined }>,
  readers: Readers,
): Value | undefined {
  const [hot, table] = node.inputs;
  const { transA, transB, epilogue } = node.attrs;
  if (transA || transB || epilogue || shapeOf(table!).length !== 2 || !isStatic(shapeOf(table!)))
    return undefined;
  const rows = shapeOf(table!)[0] as number;
  const ids = indicesBehind(hot!, rows, readers);
  if (!ids) return undefined;
  const b = builder(node.origin);
  const flat = b(reshape, [ids], { shape: shapeOf(hot!).slice(0, -1) });
  const inside = call('min', call('max', arg(0), like(ids, 0)), like(ids, rows - 1));
  const found = b(gather, [table!, b(pointwise, [flat], { expr: inside })], { axis: 0 });
  const zero = konst(0, dtypeOf(found));
  return b(pointwise, [ids, found], {
    expr: call('select', call('eq', arg(0), inside), arg(1), zero),
  });
}

/** The indices [.., 1] of which a value [.., n] tells by ones and zeros which of 0 … n - 1 they are. */
function indicesBehind(hot: Value, n: number, readers: Readers): Value | undefined {
  if (!is(hot.node, pointwise) || readers(hot) !== 1) return undefined;
  const { expr, inputs } = inlineRegion(
    hot.node,
    (m) => dtypeOf(m.outputs[0]!) === 'bool' && readers(m.outputs[0]!) === 1,
  );
  const test =
    expr.kind === 'cast' && /^f/.test(expr.to)
      ? expr.arg
      : expr.kind === 'call' && expr.fn === 'select' && isConst(expr.args[1], 1) && isConst(expr.args[2], 0)
        ? expr.args[0]
        : undefined;
  if (test?.kind !== 'call' || test.fn !== 'eq' || inputs.length !== 2) return undefined;
  if (test.args.some((a) => a.kind !== 'in')) return undefined;
  for (const [ids, counted] of [inputs, [...inputs].reverse()]) {
    const l = literalAt(counted!);
    const shape = shapeOf(ids!);
    const aligned = shape.length === shapeOf(hot).length && shape.at(-1) === 1;
    if (!l || l.size !== n || l.shape.at(-1) !== n || !/^i(32|64)$/.test(l.dtype) || !aligned) continue;
    if (numel(shapeOf(hot).slice(-1)) === n && l.numbers().every((x, i) => x === i)) return ids;
  }
  return undefined;
}

const isConst = (e: Expr | undefined, value: number): boolean =>
  e?.kind === 'const' && Number(e.value) === value;
