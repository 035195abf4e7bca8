import type { Shape } from '../src/ir/dim.js';
import { arg, call, type Expr, constant as konst, mapOperands, sameExpr } from '../src/ir/expr.js';
import { type Attrs, dtypeOf, emit, type Node, type Readers, shapeOf, type Value } from '../src/ir/graph.js';
import { type Literal, literal, literalOf } from '../src/ir/literal.js';
import { constant } from '../src/ops/constant.js';
import { conv } from '../src/ops/conv.js';
import { convTranspose } from '../src/ops/conv-transpose.js';
import { epilogueOperand, type Layout } from '../src/ops/epilogue.js';
import { matmul } from '../src/ops/matmul.js';
import { builder } from '../src/ops/op.js';
import { elementCount } from '../src/support/tensor-data.js';
import { literalAt } from './literals.js';
import { tidied } from './simplify-pointwise.js';
import { on, type SyncPass, settle } from './steps.js';

/**
 * Folds what an epilogue does to the sums before anything else, as long as it is a factor or a summand of
 * constants (batch norm, learned scales, biases), into the weights and one bias. The work happens once, and
 * the epilogue is left with an addition. Weights that somebody else reads too are not scaled, unless they
 * are small. Runs after epilogues are fused. Rounding differs from scaling the sums by an ULP per weight.
 */
export const foldAffine: SyncPass = {
  name: 'fold-affine',
  run: (g) =>
    settle(g, [
      on(conv, (n, r) => folded(n as unknown as Node, n.attrs.layout, perFilter, r)),
      on(convTranspose, (n, r) => folded(n as unknown as Node, n.attrs.layout, perGroup, r)),
      on(matmul, (n, r) => folded(n as unknown as Node, 'NXC', perColumn, r)),
    ]),
};

/** The output channel that element i of the weights contributes to. */
type Channel = (shape: readonly number[], attrs: Attrs) => (i: number) => number;

const perFilter: Channel = (shape) => {
  const size = elementCount(shape.slice(1));
  return (i) => Math.floor(i / size);
};

const perGroup: Channel = (shape, attrs) => {
  const [channels, perOne] = [shape[0]!, shape[1]!];
  const inGroup = channels / (attrs.groups as number);
  const size = elementCount(shape.slice(2));
  return (i) => {
    const row = Math.floor(i / size);
    return Math.floor(Math.floor(row / perOne) / inGroup) * perOne + (row % perOne);
  };
};

const perColumn: Channel = (shape, attrs) => {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return attrs.transB === true ? (i) => Math.floor(i / columns) % rows : (i) => i % columns;
};

/** Numbers for each channel, or one for all. */
type PerChannel = readonly number[] | number;
const at = (x: PerChannel, i: number): number => (typeof x === 'number' ? x : x[i]!);
const combine = (a: PerChannel, b: PerChannel, f: (x: number, y: number) => number): PerChannel =>
  typeof a === 'number' && typeof b === 'number'
    ? f(a, b)
    : Array.from({ length: typeof a === 'number' ? (b as readonly number[]).length : a.length }, (_, i) =>
        f(at(a, i), at(b, i)),
      );

interface Affine {
  readonly factor: PerChannel;
  readonly summand: PerChannel;
  readonly rest: Expr;
  readonly steps: number;
}

function folded(node: Node, layout: Layout, channel: Channel, readers: Readers): Value | undefined {
  const epilogue = node.attrs.epilogue as Expr | undefined;
  const weights = node.inputs[1]!;
  const w = literalAt(weights);
  if (!epilogue || w?.dtype !== 'f32' || dtypeOf(node.inputs[0]!) !== 'f32') return undefined;
  const out = shapeOf(node.outputs[0]!);
  const count = layout === 'NCX' ? out[1] : out.at(-1);
  if (typeof count !== 'number') return undefined;
  const known = node.inputs.slice(2).map((v) => channelValues(v, out, layout));
  const affine = peeled(epilogue, known);
  const scales = typeof affine.factor !== 'number' || affine.factor !== 1;
  if (affine.steps === 0 || (affine.steps === 1 && !scales)) return undefined;
  if (scales && readers(weights) !== 1 && w.byteLength > 1 << 16) return undefined;
  const b = builder(node.origin);
  const scaled = scales ? scaledLiteral(w, channel(w.shape, node.attrs), affine.factor) : w;
  if (!scaled) return undefined;
  const own = [node.inputs[0]!, scaled === w ? weights : b(constant, [], { value: scaled })];
  const bias = biasOf(affine.summand, count, out, layout);
  if (bias && !bias.numbers().every(Number.isFinite)) return undefined;
  const extras = node.inputs.slice(2);
  const operand = bias && extras.length + 1;
  const sums = !bias
    ? arg(0)
    : bias.size === 1
      ? call('add', arg(0), konst(bias.numbers()[0]!, 'f32'))
      : call('add', arg(0), arg(operand!));
  const expr = mapOperands(affine.rest, (i) => (i === 0 ? sums : arg(i)));
  const more = bias && bias.size > 1 ? [b(constant, [], { value: bias })] : [];
  return withEpilogue(node, own, [...extras, ...more], expr);
}

/** The node with other operands; those its epilogue does not read are left out. */
function withEpilogue(node: Node, own: readonly Value[], extras: readonly Value[], expr: Expr): Value {
  // Operand 0 is the sums, which no value stands for: the node's own result has the right shape.
  const all = tidied({ inputs: [node.outputs[0]!, ...extras], expr }, shapeOf(node.outputs[0]!));
  const inputs = [...own, ...all.inputs.slice(1)];
  const bare = all.expr.kind === 'in' && all.expr.index === 0;
  return emit(node.op, inputs, { ...node.attrs, epilogue: bare ? undefined : all.expr }, node.origin)
    .outputs[0]!;
}

/** A constant operand that has one value, or one for each channel. */
function channelValues(v: Value, out: Shape, layout: Layout): PerChannel | undefined {
  const l = literalAt(v);
  if (l?.dtype !== 'f32') return undefined;
  switch (epilogueOperand(out, shapeOf(v), layout)) {
    case 'scalar':
      return l.numbers()[0];
    case 'channel':
      return l.numbers();
    default:
      return undefined;
  }
}

/** Takes factors and summands off the sums, from the inside out, as long as all readers of the sums agree. */
function peeled(epilogue: Expr, known: readonly (PerChannel | undefined)[]): Affine {
  let affine: Affine = { factor: 1, summand: 0, rest: epilogue, steps: 0 };
  for (;;) {
    const step = parentOfSums(affine.rest);
    const next = step && applied(step, affine, known);
    if (!next) return affine;
    affine = {
      ...next,
      rest: replaced(affine.rest, step, arg(0)),
      steps: affine.steps + 1,
    };
  }
}

const isSums = (e: Expr): boolean => e.kind === 'in' && e.index === 0;

/** The call that reads operand 0, when it is the same one everywhere. */
function parentOfSums(e: Expr): Extract<Expr, { kind: 'call' }> | undefined {
  const parents: Expr[] = [];
  const visit = (x: Expr): void => {
    const args = x.kind === 'call' ? x.args : x.kind === 'cast' ? [x.arg] : [];
    if (args.some(isSums)) parents.push(x);
    args.forEach(visit);
  };
  visit(e);
  const [first] = parents;
  return first?.kind === 'call' && parents.every((p) => sameExpr(p, first)) ? first : undefined;
}

function replaced(e: Expr, what: Expr, by: Expr): Expr {
  if (sameExpr(e, what)) return by;
  if (e.kind === 'call') return { ...e, args: e.args.map((a) => replaced(a, what, by)) };
  return e.kind === 'cast' ? { ...e, arg: replaced(e.arg, what, by) } : e;
}

/** factor * x + summand after one more step. */
function applied(
  { fn, args }: Extract<Expr, { kind: 'call' }>,
  { factor, summand }: Affine,
  known: readonly (PerChannel | undefined)[],
): Pick<Affine, 'factor' | 'summand'> | undefined {
  if (fn === 'neg')
    return { factor: combine(factor, -1, (x, y) => x * y), summand: combine(summand, -1, (x, y) => x * y) };
  const [left, right] = [args[0]!, args[1]];
  if (!right || (isSums(left) && isSums(right))) return undefined;
  const other = isSums(left) ? right : left;
  const c =
    other.kind === 'const' && other.dtype === 'f32'
      ? Number(other.value)
      : other.kind === 'in'
        ? known[other.index - 1]
        : undefined;
  if (c === undefined) return undefined;
  const times = (x: number, y: number): number => x * y;
  const plus = (x: number, y: number): number => x + y;
  switch (fn) {
    case 'add':
      return { factor, summand: combine(summand, c, plus) };
    case 'sub':
      return isSums(left)
        ? { factor, summand: combine(summand, c, (x, y) => x - y) }
        : { factor: combine(factor, -1, times), summand: combine(c, summand, (x, y) => x - y) };
    case 'mul':
      return { factor: combine(factor, c, times), summand: combine(summand, c, times) };
    case 'div': {
      const by = (x: number, y: number): number => x / y;
      return isSums(left) ? { factor: combine(factor, c, by), summand: combine(summand, c, by) } : undefined;
    }
    default:
      return undefined;
  }
}

function scaledLiteral(w: Literal, channel: (i: number) => number, factor: PerChannel): Literal | undefined {
  const bytes = w.bytes().slice();
  const values = new Float32Array(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    const x = values[i]! * at(factor, channel(i));
    if (!(Math.abs(x) < 3e38)) return undefined;
    values[i] = x;
  }
  return literal('f32', w.shape, bytes);
}

/** The summand as a constant; nothing where it is zero everywhere. */
function biasOf(summand: PerChannel, count: number, out: Shape, layout: Layout): Literal | undefined {
  const all = typeof summand === 'number' ? [summand] : summand;
  if (all.every((x) => x === 0)) return undefined;
  if (all.every((x) => x === all[0])) return literalOf('f32', [], [all[0]!]);
  const ones = layout === 'NCX' ? out.slice(2).map(() => 1) : [];
  return literalOf('f32', [count, ...ones], all);
}
