import { arg, call, cast, type Expr } from '../ir/expr.js';
import { dtypeOf, shapeOf, type Value } from '../ir/graph.js';
import { convertConv } from './conv.js';
import { num } from './elementwise.js';
import { convertGemm, matmul, numpyProduct } from './matmul.js';
import { asRows, byteProduct, multiplied, requantise, zeroPoint } from './matmul-integer.js';
import type { Build, SourceNode } from './op.js';
import { pointwise } from './pointwise.js';
import { dynamicallyQuantized } from './quantize.js';

/*
 * Contractions that onnxruntime's optimiser and quantiser write: they are the standard's with an activation,
 * a scale or a bias in their epilogue.
 */

/** The activation that a fused operator names, applied to its result. */
function activated(n: SourceNode, b: Build, x: Value): Value {
  const t = dtypeOf(x);
  const k = (v: number): Expr => num(v, t);
  const given = n.floats('activation_params', []);
  const parameter = (i: number, attr: string, fallback: number): number =>
    given[i] ?? n.float(`activation_${attr}`, fallback);
  const value = arg(0);
  const bounded = (e: Expr, low: number, high: number): Expr => call('min', call('max', e, k(low)), k(high));
  const one = (expr: Expr): Value => b(pointwise, [x], { expr });
  const name = n.string('activation', '');
  switch (name) {
    case '':
      return x;
    case 'Relu':
      return one(call('max', value, k(0)));
    case 'Sigmoid':
      return one(call('sigmoid', value));
    case 'Tanh':
      return one(call('tanh', value));
    case 'LeakyRelu': {
      const scaled = call('mul', k(parameter(0, 'alpha', 0.01)), value);
      return one(call('select', call('lt', value, k(0)), scaled, value));
    }
    case 'Clip':
      return one(bounded(value, parameter(0, 'alpha', -3.4e38), parameter(1, 'beta', 3.4e38)));
    case 'HardSigmoid': {
      const line = call('mul', k(parameter(0, 'alpha', 0.2)), value);
      return one(bounded(call('add', line, k(parameter(1, 'beta', 0.5))), 0, 1));
    }
    default:
      return n.decline(`the activation ${name} is not known`);
  }
}

export function fusedGemm(n: SourceNode, b: Build): Value {
  return activated(n, b, convertGemm(n, b));
}

export function fusedConv(n: SourceNode, b: Build): Value {
  const y = convertConv(n, b);
  const added = n.optional(3);
  return activated(n, b, added ? b(pointwise, [y, added], { expr: call('add', arg(0), arg(1)) }) : y);
}

/** alpha * A B; the flags exchange the last two axes, of a vector none. */
export function fusedMatMul(n: SourceNode, b: Build): Value {
  const [x, y] = [n.input(0), n.input(1)];
  if (n.int('transBatchA', 0) !== 0 || n.int('transBatchB', 0) !== 0)
    n.decline('its batch axes are exchanged');
  const flat = shapeOf(x).length < 2 || shapeOf(y).length < 2;
  const [transA, transB] = ['transA', 'transB'].map((attr) => n.int(attr, 0) !== 0);
  const alpha = n.float('alpha', 1);
  const scaled = call('mul', arg(0), num(alpha, dtypeOf(x)));
  if (!flat)
    return b(matmul, [x, y], {
      transA: transA!,
      transB: transB!,
      epilogue: alpha === 1 ? undefined : scaled,
    });
  if (transA || transB) n.decline('a vector is exchanged');
  const product = numpyProduct(x, y, b);
  return alpha === 1 ? product : b(pointwise, [product], { expr: scaled });
}

/** Sums of products of bytes, scaled to floats. */
function toFloat(
  n: SourceNode,
  b: Build,
  factors: readonly [Value, Value],
  points: readonly [Value, Value],
  scale: Value,
  bias: Value | undefined,
): Value {
  const real = call('mul', cast('f32', arg(0)), arg(1));
  return byteProduct(n, b, factors, points, {
    extras: bias ? [scale, bias] : [scale],
    epilogue: bias ? call('add', real, arg(2)) : real,
  });
}

export function matMulIntegerToFloat(n: SourceNode, b: Build): Value {
  const [x, y] = [n.input(0), n.input(1)];
  const points = [asRows(b, zeroPoint(b, n.optional(4), x)), zeroPoint(b, n.optional(5), y)] as const;
  const scale = multiplied(b, asRows(b, n.input(2)), n.input(3));
  return toFloat(n, b, [x, y], points, scale, n.optional(6));
}

export function dynamicQuantizeMatMul(n: SourceNode, b: Build): Value {
  const [bytes, scale, zero] = dynamicallyQuantized(b, n.input(0));
  const y = n.input(1);
  const points = [zero, zeroPoint(b, n.optional(3), y)] as const;
  return toFloat(n, b, [bytes, y], points, multiplied(b, scale, n.input(2)), n.optional(4));
}

/** A Gemm of bytes whose bias is added to the sums; to floats where no scale of the result is given. */
export function quantisedGemm(n: SourceNode, b: Build): Value {
  if (n.int('transA', 0) !== 0) n.decline('its first matrix is exchanged');
  const [x, y] = [n.input(0), n.input(3)];
  const points = [asRows(b, n.input(2)), n.input(5)] as const;
  const [bias, yScale, yZero] = [n.optional(6), n.optional(7), n.optional(8)];
  const alpha = n.float('alpha', 1);
  const scale = multiplied(b, asRows(b, n.input(1)), n.input(4));
  const factor =
    alpha === 1 ? scale : b(pointwise, [scale], { expr: call('mul', arg(0), num(alpha, 'f32')) });
  const extras = [factor, ...(bias ? [bias] : []), ...(yScale ? [yScale] : []), ...(yZero ? [yZero] : [])];
  const at = (v: Value | undefined): Expr => arg(1 + extras.indexOf(v!));
  const total = bias ? call('add', arg(0), at(bias)) : arg(0);
  const real = call('mul', cast('f32', total), arg(1));
  const epilogue =
    yScale && yZero ? requantise(call('div', real, at(yScale)), at(yZero), dtypeOf(yZero)) : real;
  return byteProduct(n, b, [x, y], points, { extras, epilogue }, n.int('transB', 0) !== 0);
}
