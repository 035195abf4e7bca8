import { Cpp, cpp, ctype, join, str } from '../../codegen/cpp.js';
import type { Builder } from '../../codegen/kernel.js';
import type { Target } from '../../codegen/target.js';
import { type Dim, type Shape, same } from '../../src/ir/dim.js';
import { dtypeOf, type Node, type Value } from '../../src/ir/graph.js';
import { bitsOf, type DType, isFloat } from '../../src/ir/type.js';

const carriers: Readonly<Record<number, string>> = {
  8: 'uint8_t',
  16: 'uint16_t',
  32: 'uint32_t',
  64: 'uint64_t',
  128: 'ait::Bytes16',
};

/** The type that stands for elements which are only moved: equal sizes share one kernel. */
export function carrier(t: DType): Cpp {
  const name = carriers[bitsOf[t]];
  if (name === undefined) throw new TypeError(`elements of ${t} cannot be moved one by one`);
  return new Cpp(name);
}

export type Ends = Pick<Node, 'inputs' | 'outputs'>;

/** Why elements cannot be moved one by one, if they cannot. */
export function refusePacked({ inputs, outputs }: Ends): string | undefined {
  const packed = [...inputs, ...outputs].map(dtypeOf).find((t) => carriers[bitsOf[t]] === undefined);
  return packed && `${packed} elements do not have whole bytes`;
}

export function refuseNoFloat(node: Ends): string | undefined {
  const type = dtypeOf(node.outputs[0]!);
  return refusePacked(node) ?? (isFloat(type) ? undefined : `${type} is not a floating-point type`);
}

/** Input i as a pointer to carriers. */
export const movedInput = (k: Builder<Target>, i: number): Cpp =>
  cpp`reinterpret_cast<const ${carrier(dtypeOf(k.node.inputs[i]!))}*>(${k.input(i)})`;

export const movedOutput = (k: Builder<Target>, i = 0): Cpp =>
  cpp`reinterpret_cast<${carrier(dtypeOf(k.node.outputs[i]!))}*>(${k.output(i)})`;

/** What turns extents into a kernel's parameters. */
export interface Arguments {
  arg(d: Dim): Cpp;
}

/** Extents as parameters, separated by commas. */
export const listOf = (k: Arguments, dims: Shape): Cpp =>
  join(
    dims.map((d) => k.arg(d)),
    ', ',
  );

/** Fails the kernel unless pairs of extents agree; those that are known to be equal cost nothing. */
export function requireEqual(
  k: Arguments,
  pairs: readonly (readonly [Dim, Dim])[],
  message: string,
): Cpp | false {
  const open = pairs.filter(([a, b]) => !same(a, b));
  return failUnless(
    open.map(([a, b]) => cpp`${k.arg(a)} == ${k.arg(b)}`),
    message,
  );
}

/** Fails the kernel unless every one of the first extents is at most its second. */
export function requireAtMost(
  k: Arguments,
  pairs: readonly (readonly [Dim, Dim])[],
  message: string,
): Cpp | false {
  const open = pairs.filter(
    ([a, b]) => !same(a, b) && !(typeof a === 'number' && typeof b === 'number' && a <= b),
  );
  return failUnless(
    open.map(([a, b]) => cpp`${k.arg(a)} <= ${k.arg(b)}`),
    message,
  );
}

export const failUnless = (conditions: readonly Cpp[], message: string): Cpp | false =>
  conditions.length > 0 && cpp`if (!(${join(conditions, ' && ')})) return ctx.fail(${str(message)});`;

/** What stands for an operand that is missing and would have the type of v. */
export const nullPointer = (v: Value): Cpp => cpp`static_cast<const ${ctype[dtypeOf(v)]}*>(nullptr)`;

export const flag = (b: boolean): Cpp => new Cpp(String(b));
