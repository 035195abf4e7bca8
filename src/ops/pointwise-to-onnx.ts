import { type Expr, type ScalarFunction, typeOfExpr } from '../ir/expr.js';
import { type DType, isInteger } from '../ir/type.js';
import { activationToOnnx } from './activations-to-onnx.js';
import { bitsToOnnx } from './bits-to-onnx.js';
import { dtype, int, type OnnxEmitter, text } from './onnx-emitter.js';

/** Scalar functions that are one ONNX operator of the same arguments. */
const direct: Partial<Record<ScalarFunction, string>> = {
  add: 'Add',
  sub: 'Sub',
  mul: 'Mul',
  div: 'Div',
  min: 'Min',
  max: 'Max',
  neg: 'Neg',
  abs: 'Abs',
  sign: 'Sign',
  reciprocal: 'Reciprocal',
  sqrt: 'Sqrt',
  exp: 'Exp',
  log: 'Log',
  sin: 'Sin',
  cos: 'Cos',
  tan: 'Tan',
  asin: 'Asin',
  acos: 'Acos',
  atan: 'Atan',
  sinh: 'Sinh',
  cosh: 'Cosh',
  tanh: 'Tanh',
  asinh: 'Asinh',
  acosh: 'Acosh',
  atanh: 'Atanh',
  erf: 'Erf',
  sigmoid: 'Sigmoid',
  softplus: 'Softplus',
  ceil: 'Ceil',
  floor: 'Floor',
  round: 'Round',
  isnan: 'IsNaN',
  isinf: 'IsInf',
  eq: 'Equal',
  lt: 'Less',
  le: 'LessOrEqual',
  gt: 'Greater',
  ge: 'GreaterOrEqual',
  and: 'And',
  or: 'Or',
  xor: 'Xor',
  not: 'Not',
  bitand: 'BitwiseAnd',
  bitor: 'BitwiseOr',
  bitxor: 'BitwiseXor',
  bitnot: 'BitwiseNot',
  select: 'Where',
};

/** Writes an expression as ONNX nodes and gives the name of its result. */
export function exprToOnnx(
  expr: Expr,
  operands: readonly string[],
  types: readonly DType[],
  e: OnnxEmitter,
): string {
  const write = (x: Expr): string => {
    switch (x.kind) {
      case 'in':
        return operands[x.index]!;
      case 'const':
        return e.constant(x.dtype, [], [x.value]);
      case 'cast':
        return e.one('Cast', [write(x.arg)], {
          to: dtype(x.to),
          ...(x.to.startsWith('f8') ? { saturate: int(x.saturate) } : {}),
        });
      case 'call': {
        const activation = activationToOnnx(x, typeOfExpr(x, types), e, write);
        if (activation !== undefined) return activation;
        return writeCall(x.fn, x.args.map(write), typeOfExpr(x.args.at(-1)!, types), e);
      }
      default:
        return x satisfies never;
    }
  };
  const name = write(expr);
  return operands.includes(name) ? e.one('Identity', [name]) : name;
}

function writeCall(fn: ScalarFunction, args: readonly string[], type: DType, e: OnnxEmitter): string {
  const simple = direct[fn];
  const bits = bitsToOnnx(fn, args, type, e);
  if (bits !== undefined) return bits;
  if (fn === 'pow') return e.one('Pow', [args[0], exponent(args[1]!, type, e)]);
  if (simple !== undefined && !(fn === 'isinf' && !/^f(16|32|64)$/.test(type))) return e.one(simple, args);
  const one = (): string => e.constant(type, [], [1]);
  switch (fn) {
    case 'mod':
      return isInteger(type) ? e.one('Mod', args) : floatMod(args[0]!, args[1]!, type, e);
    case 'fmod':
      return e.one('Mod', args, { fmod: int(1) });
    case 'rsqrt':
      return e.one('Reciprocal', [e.one('Sqrt', args)]);
    case 'expm1':
      return e.one('Sub', [e.one('Exp', args), one()]);
    case 'log1p':
      return e.one('Log', [e.one('Add', [args[0], one()])]);
    case 'trunc':
      return e.one('Mul', [e.one('Sign', args), e.one('Floor', [e.one('Abs', args)])]);
    case 'ne':
      return e.one('Not', [e.one('Equal', args)]);
    case 'isinf':
      return e.one('IsInf', [e.one('Cast', args, { to: dtype('f32') })]);
    case 'shl':
      return e.one('BitShift', args, { direction: text('LEFT') });
    case 'shr':
      return e.one('BitShift', args, { direction: text('RIGHT') });
    default:
      e.needs(Infinity, `${fn} of ${type}`);
      return args[0]!;
  }
}

/** Mod with fmod=0 takes integers only: the remainder with the sign of the dividend, moved to the divisor's. */
function floatMod(a: string, b: string, type: DType, e: OnnxEmitter): string {
  const k = (value: number): string => e.constant(type, [], [value]);
  const rest = e.one('Mod', [a, b], { fmod: int(1) });
  const negative = e.one('Less', [b, k(0)]);
  const differ = e.one('Xor', [e.one('Less', [rest, k(0)]), negative]);
  const moved = e.one('Where', [differ, e.one('Add', [rest, b]), rest]);
  return e.one('Where', [e.one('Equal', [rest, k(0)]), e.one('Where', [negative, k(-0), k(0)]), moved]);
}

/** Pow of onnxruntime takes exponents of few types. */
const exponent = (name: string, type: DType, e: OnnxEmitter): string =>
  isInteger(type) && type !== 'i32' && type !== 'i64' ? e.one('Cast', [name], { to: dtype('i64') }) : name;
