import { CompileError } from '../support/diagnostic.js';

/** What the sizes of the inputs must fulfil beyond their ranges, because the program was made for nothing else. */
export interface Guard {
  /** As the user is told it: `x.shape[0] % 4 == 0`. */
  readonly text: string;
  readonly condition: Condition;
}

/** A number, the size of an input's axis, the value of an input that is one number, or a function of such. */
export type Condition = number | InputSize | Call;

export interface Call {
  readonly fn: GuardFunction;
  readonly args: readonly Condition[];
}

export interface InputSize {
  readonly input: string;
  /** Absent for the value of the input. */
  readonly axis?: number;
}

/** Python's: floordiv rounds down, mod has the sign of the divisor. */
const functions = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  floordiv: (a: number, b: number) => Math.floor(a / b),
  mod: (a: number, b: number) => a - b * Math.floor(a / b),
  truediv: (a: number, b: number) => a / b,
  pow: (a: number, b: number) => a ** b,
  min: Math.min,
  max: Math.max,
  eq: (a: number, b: number) => Number(a === b),
  ne: (a: number, b: number) => Number(a !== b),
  lt: (a: number, b: number) => Number(a < b),
  le: (a: number, b: number) => Number(a <= b),
  gt: (a: number, b: number) => Number(a > b),
  ge: (a: number, b: number) => Number(a >= b),
  and: (a: number, b: number) => Number(a !== 0 && b !== 0),
  or: (a: number, b: number) => Number(a !== 0 || b !== 0),
  not: (a: number) => Number(a === 0),
} as const;

export type GuardFunction = keyof typeof functions;

export const isGuardFunction = (name: string): name is GuardFunction => Object.hasOwn(functions, name);

/** What a condition comes to; undefined when it reads a size that nobody gives. */
export function evaluated(
  condition: Condition,
  sizeOf: (size: InputSize) => number | undefined,
): number | undefined {
  if (typeof condition === 'number') return condition;
  if ('input' in condition) return sizeOf(condition);
  const values = condition.args.map((a) => evaluated(a, sizeOf));
  const known = values.filter((v) => v !== undefined);
  return known.length < values.length ? undefined : functions[condition.fn](known[0] ?? 0, known[1] ?? 0);
}

/** The first guard that does not hold. */
export const violated = (
  guards: readonly Guard[] | undefined,
  sizeOf: (size: InputSize) => number | undefined,
): Guard | undefined => guards?.find(({ condition }) => evaluated(condition, sizeOf) === 0);

/** The inputs whose sizes a condition reads. */
export function inputsRead(condition: Condition): readonly string[] {
  if (typeof condition === 'number') return [];
  return 'input' in condition ? [condition.input] : condition.args.flatMap(inputsRead);
}

/** Reads a condition of a manifest. */
export function conditionIn(value: unknown, where: string): Condition {
  if (typeof value === 'number') return value;
  if (typeof value === 'object' && value !== null && 'fn' in value && 'args' in value) {
    const { fn, args } = value;
    if (typeof fn === 'string' && isGuardFunction(fn) && Array.isArray(args) && args.length <= 2)
      return { fn, args: args.map((v) => conditionIn(v, where)) };
  }
  if (typeof value === 'object' && value !== null && 'input' in value && typeof value.input === 'string') {
    const axis = 'axis' in value ? value.axis : undefined;
    if (axis === undefined || typeof axis === 'number')
      return { input: value.input, ...(axis === undefined ? {} : { axis }) };
  }
  throw new CompileError('bad-manifest', `${where} holds no condition`, 'convert the model again');
}
