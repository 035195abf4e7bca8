import { type Cpp, cpp } from '../../codegen/cpp.js';
import type { Call, ScalarText } from '../../codegen/scalar-text.js';
import { call, constant, type Expr, sameExpr, typeOfExpr } from '../../src/ir/expr.js';
import type { DType } from '../../src/ir/type.js';

type Shorter = NonNullable<ScalarText['shorter']>;

/** Texts of what is computed in half precision: as exact as that is, and many instructions shorter. */
export const quickMath =
  (types: readonly DType[]): Shorter =>
  (e, text) => {
    const t = typeOfExpr(e, types);
    return t === 'f16' || t === 'bf16' ? quickCall(e, t, text) : undefined;
  };

function quickCall(e: Call, t: DType, text: (part: Expr) => Cpp): Cpp | undefined {
  switch (e.fn) {
    case 'exp':
      return cpp`ait::fn::quick_exp(${text(e.args[0]!)})`;
    case 'sigmoid':
      return cpp`ait::fn::quick_sigmoid(${text(e.args[0]!)})`;
    case 'div': {
      const [a, b] = e.args as readonly [Expr, Expr];
      const by = numberOf(b);
      if (by === undefined) return cpp`ait::fn::quick_divide(${text(a)}, ${text(b)})`;
      const factor = 1 / by;
      return Number.isFinite(factor) ? cpp`(${text(a)} * ${text(constant(factor, t))})` : undefined;
    }
    case 'mul':
      return gelu(factorsOf(e), t, text);
    default:
      return undefined;
  }
}

const numberOf = (e: Expr): number | undefined => (e.kind === 'const' ? Number(e.value) : undefined);

const isCall = (e: Expr, fn: Call['fn']): e is Call => e.kind === 'call' && e.fn === fn;

/** What a tree of products multiplies. */
const factorsOf = (e: Expr): readonly Expr[] => (isCall(e, 'mul') ? e.args.flatMap(factorsOf) : [e]);

const near = (a: number, b: number): boolean => Math.abs(a / b - 1) < 1e-3;

/** The function in `1 + f(x)`, and its argument. */
function onePlus(e: Expr, fn: Call['fn']): Expr | undefined {
  if (!isCall(e, 'add')) return undefined;
  const [a, b] = e.args as readonly [Expr, Expr];
  const [f, one] = numberOf(b) === 1 ? [a, b] : [b, a];
  return numberOf(one) === 1 && isCall(f, fn) ? f.args[0] : undefined;
}

/** x of `x / √2`, however that is written. */
function halvedSquare(e: Expr): Expr | undefined {
  if (!isCall(e, 'mul') && !isCall(e, 'div')) return undefined;
  const [a, b] = e.args as readonly [Expr, Expr];
  const right = numberOf(b);
  if (right !== undefined && near(right, isCall(e, 'mul') ? Math.SQRT1_2 : Math.SQRT2)) return a;
  const left = numberOf(a);
  return isCall(e, 'mul') && left !== undefined && near(left, Math.SQRT1_2) ? b : undefined;
}

/** x (1 + erf(x / √2)) or 1 + tanh(u), times anything. */
function gelu(factors: readonly Expr[], t: DType, text: (part: Expr) => Cpp): Cpp | undefined {
  for (const [at, f] of factors.entries()) {
    const others = factors.filter((_, i) => i !== at);
    const u = onePlus(f, 'tanh');
    if (u)
      return product(cpp`ait::fn::quick_sigmoid(${text(call('mul', u, constant(2, t)))})`, others, t, text);
    const z = onePlus(f, 'erf');
    const x = z && halvedSquare(z);
    const own = x ? others.findIndex((o) => sameExpr(o, x)) : -1;
    if (x && own >= 0)
      return product(
        cpp`ait::fn::quick_gelu(${text(x)})`,
        others.filter((_, i) => i !== own),
        t,
        text,
      );
  }
  return undefined;
}

/** Twice a value by all factors, the constants among them as one. */
function product(value: Cpp, factors: readonly Expr[], t: DType, text: (part: Expr) => Cpp): Cpp {
  const scale = factors.reduce((a, f) => a * (numberOf(f) ?? 1), 2);
  const rest = factors.filter((f) => numberOf(f) === undefined);
  const parts = [value, ...(scale === 1 ? [] : [text(constant(scale, t))]), ...rest.map(text)];
  return parts.reduce((a, b) => cpp`(${a} * ${b})`);
}
