import type { ScalarFunction } from '../ir/expr.js';
import { bitsOf, type DType, isUnsigned } from '../ir/type.js';
import { limitsOf } from './elementwise.js';
import { dtype, int, type OnnxEmitter } from './onnx-emitter.js';

type Bitwise = 'bitand' | 'bitor' | 'bitxor';

/** Functions of bits in arithmetic, where the operator set has no operators for them; undefined where it has. */
export function bitsToOnnx(
  fn: ScalarFunction,
  args: readonly string[],
  t: DType,
  e: OnnxEmitter,
): string | undefined {
  switch (fn) {
    case 'shl':
    case 'shr':
      return isUnsigned(t) ? undefined : shifted(fn, args[0]!, args[1]!, t, e);
    case 'bitnot':
      // The complement is what is left to all ones.
      return e.opset >= 18
        ? undefined
        : e.one('Sub', [of(t, isUnsigned(t) ? limitsOf(t)[1] : -1, e), args[0]]);
    case 'bitand':
    case 'bitor':
    case 'bitxor':
      return e.opset >= 18 || t === 'u64' ? undefined : combined(fn, args[0]!, args[1]!, t, e);
    default:
      return undefined;
  }
}

const of = (t: DType, x: number | bigint, e: OnnxEmitter): string => e.constant(t, [], [x]);

const as = (x: string, t: DType, e: OnnxEmitter): string => e.one('Cast', [x], { to: dtype(t) });

/** Rounded down, which the division of integers is not. */
const floorDiv = (a: string, p: string, e: OnnxEmitter): string =>
  e.one('Div', [e.one('Sub', [a, e.one('Mod', [a, p])]), p]);

/** Signed numbers: a product or a quotient rounded down, and all bits shifted out beyond the width. */
function shifted(fn: 'shl' | 'shr', a: string, by: string, t: DType, e: OnnxEmitter): string {
  const [x, n] = [as(a, 'i64', e), as(by, 'i64', e)];
  const zero = of('i64', 0, e);
  const most = of('i64', fn === 'shl' ? bitsOf[t as 'i8'] : bitsOf[t as 'i8'] - 1, e);
  const inside = e.one('And', [e.one('GreaterOrEqual', [n, zero]), e.one('Less', [n, most])]);
  const power = e.one('Pow', [of('i64', 2, e), e.one('Where', [inside, n, zero])]);
  const moved = fn === 'shl' ? e.one('Mul', [x, power]) : floorDiv(x, power, e);
  const beyond = fn === 'shl' ? zero : e.one('Where', [e.one('Less', [x, zero]), of('i64', -1, e), zero]);
  return as(e.one('Where', [inside, moved, beyond]), t, e);
}

/** 64 bits are two halves of 32; the upper one has the sign. */
function combined(fn: Bitwise, a: string, b: string, t: DType, e: OnnxEmitter): string {
  if (t !== 'i64') {
    const width = bitsOf[t as 'i8'];
    const bits = bitByBit(fn, as(a, 'i64', e), as(b, 'i64', e), width, !isUnsigned(t), e);
    return as(bits, t, e);
  }
  const half = of('i64', 2 ** 32, e);
  const upper = bitByBit(fn, floorDiv(a, half, e), floorDiv(b, half, e), 32, true, e);
  const lower = bitByBit(fn, e.one('Mod', [a, half]), e.one('Mod', [b, half]), 32, false, e);
  return e.one('Add', [e.one('Mul', [upper, half]), lower]);
}

/** Each bit on an axis of its own; the uppermost of a signed number counts negative. */
function bitByBit(fn: Bitwise, a: string, b: string, width: number, signed: boolean, e: OnnxEmitter): string {
  const powers = Array.from({ length: width }, (_, i) => 2 ** i);
  const places = e.constant('i64', [width], powers);
  const weights = e.constant(
    'i64',
    [width],
    powers.map((p, i) => (signed && i === width - 1 ? -p : p)),
  );
  const last = e.constant('i64', [1], [-1]);
  const two = of('i64', 2, e);
  const bits = (x: string): string => e.one('Mod', [floorDiv(e.one('Unsqueeze', [x, last]), places, e), two]);
  const both = [bits(a), bits(b)];
  const set =
    fn === 'bitand'
      ? e.one('Mul', both)
      : fn === 'bitor'
        ? e.one('Max', both)
        : e.one('Mod', [e.one('Add', both), two]);
  return e.one('ReduceSum', [e.one('Mul', [set, weights]), last], { keepdims: int(0) });
}
