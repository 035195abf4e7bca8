import { arg, call, constant, type Expr, sameExpr } from '../ir/expr.js';
import type { DType } from '../ir/type.js';
import { gelu } from './activation.js';
import { add, div, max, min, mul, select } from './elementwise.js';
import { float, type OnnxAttrs, type OnnxEmitter, text } from './onnx-emitter.js';

/** An activation that has an operator of its own. In its expression $0 is the argument, the rest are constants. */
interface Known {
  readonly expr: Expr;
  write(e: OnnxEmitter, x: string, constants: readonly number[], type: DType): string;
  /** The operator set that brought it; in those before the expression is written as it is. */
  readonly since?: number;
  fits?(constants: readonly number[]): boolean;
  /** Whether onnxruntime has it for doubles too. */
  readonly wide?: boolean;
}

const x = arg(0);
const [p, q] = [arg(1), arg(2)];
const k = (value: number): Expr => constant(value, 'f32');
const expm1 = call('expm1', x);
const negative = call('lt', x, k(0));

const one =
  (opType: string, attrs: (constants: readonly number[]) => OnnxAttrs = () => ({})): Known['write'] =>
  (e, value, constants) =>
    e.one(opType, [value], attrs(constants));

/** Below opset 20 in the words that runtimes recognise. */
const exactGelu: Known['write'] = (e, value, _, type) => {
  if (e.opset >= 20) return e.one('Gelu', [value]);
  const c = (n: number): string => e.constant(type, [], [n]);
  const phi = e.one('Add', [e.one('Erf', [e.one('Div', [value, c(Math.SQRT2)])]), c(1)]);
  return e.one('Mul', [e.one('Mul', [value, phi]), c(0.5)]);
};

const hardSigmoid = div(min(max(add(x, k(3)), k(0)), k(6)), k(6));
const line = max(k(0), min(k(1), add(mul(p, x), q)));

const table: readonly Known[] = [
  { expr: mul(x, hardSigmoid), write: one('HardSwish') },
  {
    expr: mul(x, line),
    fits: ([alpha, beta]) => Math.fround(alpha!) === Math.fround(1 / 6) && beta === 0.5,
    write: one('HardSwish'),
  },
  { expr: hardSigmoid, write: one('HardSigmoid', () => ({ alpha: float(1 / 6), beta: float(0.5) })) },
  { expr: line, write: one('HardSigmoid', ([a, b]) => ({ alpha: float(a!), beta: float(b!) })) },
  { expr: gelu(x, k, false), write: exactGelu },
  { expr: gelu(x, k, true), since: 20, write: one('Gelu', () => ({ approximate: text('tanh') })) },
  { expr: select(negative, mul(p, x), x), write: one('LeakyRelu', ([a]) => ({ alpha: float(a!) })) },
  { expr: select(negative, mul(p, expm1), x), write: one('Elu', ([a]) => ({ alpha: float(a!) })) },
  {
    expr: select(negative, mul(p, expm1), mul(q, x)),
    write: one('Selu', ([a, g]) => ({ alpha: float(a! / g!), gamma: float(g!) })),
  },
  { expr: select(call('gt', x, p), x, k(0)), write: one('ThresholdedRelu', ([a]) => ({ alpha: float(a!) })) },
  { expr: div(x, add(k(1), call('abs', x))), write: one('Softsign') },
  { expr: mul(x, call('tanh', call('softplus', x))), write: one('Mish') },
  { expr: mul(x, call('sigmoid', x)), since: 24, write: one('Swish') },
  { expr: max(x, k(0)), write: one('Relu'), wide: true },
];

const symmetric = new Set(['add', 'mul', 'max', 'min']);

/** Binds the operands of a pattern to parts of an expression: $0 to any, the others to constants. */
function matched(
  pattern: Expr,
  e: Expr,
  bound: ReadonlyMap<number, Expr>,
): ReadonlyMap<number, Expr> | undefined {
  switch (pattern.kind) {
    case 'in': {
      const known = bound.get(pattern.index);
      if (known) return sameExpr(known, e) ? bound : undefined;
      if (pattern.index > 0 && e.kind !== 'const') return undefined;
      return new Map([...bound, [pattern.index, e]]);
    }
    case 'const':
      return e.kind === 'const' && Math.fround(Number(e.value)) === Math.fround(Number(pattern.value))
        ? bound
        : undefined;
    case 'call': {
      if (e.kind !== 'call' || e.fn !== pattern.fn) return undefined;
      const inOrder = all(pattern.args, e.args, bound);
      return inOrder ?? (symmetric.has(e.fn) ? all(pattern.args, [...e.args].reverse(), bound) : undefined);
    }
    case 'cast':
      return undefined;
    default:
      return pattern satisfies never;
  }
}

function all(
  patterns: readonly Expr[],
  args: readonly Expr[],
  bound: ReadonlyMap<number, Expr>,
): ReadonlyMap<number, Expr> | undefined {
  return patterns.reduce<ReadonlyMap<number, Expr> | undefined>(
    (known, p, i) => known && matched(p, args[i]!, known),
    bound,
  );
}

/** Writes an expression that is an activation of a part of it as one operator; undefined when it is none. */
export function activationToOnnx(
  expr: Expr,
  type: DType,
  e: OnnxEmitter,
  write: (x: Expr) => string,
): string | undefined {
  if (expr.kind !== 'call' || !/^f(16|32|64)$/.test(type)) return undefined;
  for (const known of table) {
    if ((type === 'f64' && !known.wide) || e.opset < (known.since ?? 0)) continue;
    const bound = matched(known.expr, expr, new Map());
    const argument = bound?.get(0);
    if (!bound || !argument || argument.kind === 'const') continue;
    const constants = [1, 2].map((i) => {
      const c = bound.get(i);
      return c?.kind === 'const' ? Number(c.value) : 0;
    });
    if (known.fits?.(constants) ?? true) return known.write(e, write(argument), constants, type);
  }
  return undefined;
}
