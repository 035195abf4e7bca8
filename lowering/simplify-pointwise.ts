import { isStatic, numel, type Shape, sameShape } from '../src/ir/dim.js';
import { arg, type Expr, constant as konst, mapOperands, sameExpr } from '../src/ir/expr.js';
import { dtypeOf, is, type Node, shapeOf, type Value } from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { constant } from '../src/ops/constant.js';
import { expand, expanded } from '../src/ops/expand.js';
import { builder } from '../src/ops/op.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { literalAt, splatOf } from './literals.js';
import { yields } from './regions.js';
import { simplifyExpr } from './simplify-expr.js';
import { on } from './steps.js';

/** An expression and the values it reads. */
export interface Operation {
  readonly inputs: readonly Value[];
  readonly expr: Expr;
}

/** The operands an expression reads, by index. */
export function operandsOf(e: Expr, into = new Set<number>()): Set<number> {
  mapOperands(e, (i) => {
    into.add(i);
    return arg(i);
  });
  return into;
}

/** Each value once, and none that is not read, as long as the result keeps its shape. */
export function tidied({ inputs, expr }: Operation, out: Shape): Operation {
  const merged = mapOperands(expr, (i) => arg(inputs.indexOf(inputs[i]!)));
  const used = operandsOf(merged);
  let kept = inputs.map((_, i) => i).filter((i) => used.has(i) || inputs.indexOf(inputs[i]!) === i);
  for (const i of [...kept].reverse()) {
    if (used.has(i)) continue;
    const without = kept.filter((k) => k !== i);
    const left = without.map((k) => inputs[k]!);
    if (yields(out, left)) kept = without;
  }
  return {
    inputs: kept.map((i) => inputs[i]!),
    expr: mapOperands(merged, (i) => arg(kept.indexOf(i))),
  };
}

/** The one value that all elements have. */
const splatAt = (v: Value): number | bigint | undefined => {
  const l = literalAt(v);
  return l && splatOf(l);
};

/** Constants of one value become part of the expression, as long as some operand is left. */
function inlined({ inputs, expr }: Operation, out: Shape): Operation {
  const values = inputs.map(splatAt);
  const gone = new Set<number>();
  inputs.forEach((_, i) => {
    const rest = inputs.filter((_, k) => k !== i && !gone.has(k));
    if (values[i] !== undefined && rest.length > 0 && yields(out, rest)) gone.add(i);
  });
  if (gone.size === 0) return { inputs, expr };
  const kept = inputs.flatMap((_, i) => (gone.has(i) ? [] : [i]));
  return {
    inputs: kept.map((i) => inputs[i]!),
    expr: mapOperands(expr, (i) =>
      gone.has(i) ? konst(values[i]!, dtypeOf(inputs[i]!)) : arg(kept.indexOf(i)),
    ),
  };
}

/** The expression with all operands as constants where that makes it one constant. */
function valued({ inputs, expr }: Operation): Expr {
  const values = inputs.map(splatAt);
  if (values.some((v) => v === undefined)) return expr;
  const known = simplifyExpr(
    mapOperands(expr, (i) => konst(values[i]!, dtypeOf(inputs[i]!))),
    [],
  );
  return known.kind === 'const' ? known : expr;
}

/** An operand before it was expanded or given axes of extent 1 in front: broadcasting does both. */
function unexpanded(inputs: readonly Value[], out: Shape): readonly Value[] {
  return inputs.reduce<readonly Value[]>((now, v, i) => {
    const source = is(v.node, expand) || is(v.node, reshape) ? v.node.inputs[0]! : undefined;
    if (!source) return now;
    const own = shapeOf(v);
    const from = shapeOf(source);
    const lead = own.length - from.length;
    const padsOnly = lead > 0 && own.slice(0, lead).every((d) => d === 1) && sameShape(own.slice(lead), from);
    const next = now.map((x, k) => (k === i ? source : x));
    return (is(v.node, expand) || padsOnly) && yields(out, next) ? next : now;
  }, inputs);
}

/** One value of the model's own everywhere. */
function splat(node: Node, value: number | bigint): Value {
  const out = node.outputs[0]!;
  const shape = shapeOf(out);
  const b = builder(node.origin);
  if (isStatic(shape) && numel(shape) === 1)
    return b(constant, [], { value: literalOf(dtypeOf(out), shape, [value]) });
  return expanded(b, b(constant, [], { value: literalOf(dtypeOf(out), [], [value]) }), shape);
}

/** The steps that simplify pointwise nodes. */
export const simplifyPointwise = on(pointwise, (node) => {
  const out = shapeOf(node.outputs[0]!);
  const before: Operation = { inputs: unexpanded(node.inputs, out), expr: node.attrs.expr };
  const short = inlined(tidied(before, out), out);
  const expr = simplifyExpr(valued(short), short.inputs.map(dtypeOf));
  if (expr.kind === 'const') return splat(node, expr.value);
  if (expr.kind === 'in') return expanded(builder(node.origin), short.inputs[expr.index]!, out);
  const after = tidied({ inputs: short.inputs, expr }, out);
  const same =
    after.inputs.length === node.inputs.length && after.inputs.every((v, i) => v === node.inputs[i]);
  if (same && sameExpr(after.expr, node.attrs.expr)) return undefined;
  return builder(node.origin)(pointwise, after.inputs, { expr: after.expr });
});
