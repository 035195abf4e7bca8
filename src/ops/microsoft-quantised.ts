import { arg, call, cast, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { concat } from './concat.js';
import { num } from './elementwise.js';
import { requantise, zeroPoint } from './matmul-integer.js';
import { axisOf, type Build, type SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { convertPool } from './pool.js';
import { reduced } from './reduce.js';
import { transpose } from './transpose.js';
import { toChannelsFirst, toChannelsLast } from './window.js';

/*
 * What onnxruntime's quantiser writes for operators that it knows no arithmetic of bytes for: the numbers that
 * the bytes stand for, the operator, and bytes again. Each operand is followed by its scale and zero point.
 */

const real = (x: Expr, scale: Expr, zero: Expr): Expr =>
  call('mul', call('sub', cast('f32', x), cast('f32', zero)), scale);

/** Inputs i, i + 1, i + 2: a tensor of bytes, its scale and its zero point. */
const operandAt = (n: SourceNode, b: Build, i: number): readonly [Value, Value, Value] => [
  n.input(i),
  n.input(i + 1),
  zeroPoint(b, n.optional(i + 2), n.input(i)),
];

/** The scale and the zero point of a result of the type of `like`. */
const targetAt = (n: SourceNode, b: Build, i: number, like: Value): readonly [Value, Value] => [
  n.input(i),
  zeroPoint(b, n.optional(i + 1), like),
];

const back = (x: Expr, scale: Expr, zero: Expr, like: Value): Expr =>
  requantise(call('div', x, scale), zero, dtypeOf(like));

function binary(n: SourceNode, b: Build, fn: 'add' | 'mul'): Value {
  const [x, y] = [operandAt(n, b, 0), operandAt(n, b, 3)];
  const target = targetAt(n, b, 6, x[0]);
  const value = call(fn, real(arg(0), arg(1), arg(2)), real(arg(3), arg(4), arg(5)));
  return b(pointwise, [...x, ...y, ...target], { expr: back(value, arg(6), arg(7), x[0]) });
}

export function quantisedAdd(n: SourceNode, b: Build): Value {
  return binary(n, b, 'add');
}

export function quantisedMul(n: SourceNode, b: Build): Value {
  return binary(n, b, 'mul');
}

function unary(n: SourceNode, b: Build, f: (x: Expr) => Expr): Value {
  const x = operandAt(n, b, 0);
  const value = f(real(arg(0), arg(1), arg(2)));
  return b(pointwise, [...x, ...targetAt(n, b, 3, x[0])], { expr: back(value, arg(3), arg(4), x[0]) });
}

export function quantisedSigmoid(n: SourceNode, b: Build): Value {
  return unary(n, b, (x) => call('sigmoid', x));
}

export function quantisedLeakyRelu(n: SourceNode, b: Build): Value {
  const alpha = num(n.float('alpha', 0.01), 'f32');
  return unary(n, b, (x) => call('select', call('lt', x, num(0, 'f32')), call('mul', x, alpha), x));
}

const realOf = (b: Build, x: readonly [Value, Value, Value]): Value =>
  b(pointwise, x, { expr: real(arg(0), arg(1), arg(2)) });

const bytesOf = (b: Build, x: Value, target: readonly [Value, Value], like: Value): Value =>
  b(pointwise, [x, ...target], { expr: back(arg(0), arg(1), arg(2), like) });

export function quantisedGlobalPool(n: SourceNode, b: Build): Value {
  const x = operandAt(n, b, 0);
  const rank = shapeOf(x[0]).length;
  const first = n.int('channels_last', 0) === 1 ? 1 : 2;
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + first);
  return bytesOf(b, reduced(b, 'mean', realOf(b, x), axes), targetAt(n, b, 3, x[0]), x[0]);
}

export function quantisedPool(n: SourceNode, b: Build): Value {
  const x = operandAt(n, b, 0);
  const rank = shapeOf(x[0]).length;
  const last = n.int('channels_last', 0) === 1;
  const turned = (v: Value, perm: readonly number[]): Value => (last ? b(transpose, [v], { perm }) : v);
  const how = { kind: 'average', countPadding: n.int('count_include_pad', 0) === 1 } as const;
  const [y] = convertPool(n, b, turned(realOf(b, x), toChannelsFirst(rank)), how);
  return bytesOf(b, turned(y!, toChannelsLast(rank)), targetAt(n, b, 3, x[0]), x[0]);
}

export function quantisedConcat(n: SourceNode, b: Build): Value {
  const parts = Array.from({ length: (n.inputCount - 2) / 3 }, (_, i) => operandAt(n, b, 2 + 3 * i));
  const axis = axisOf(n.int('axis'), shapeOf(parts[0]![0]).length);
  const like = n.input(1);
  const joined = parts.map((x) => bytesOf(b, realOf(b, x), [n.input(0), like], like));
  return joined.length === 1 ? joined[0]! : b(concat, joined, { axis });
}
