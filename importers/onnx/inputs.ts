import type { Dim } from '../../src/ir/dim.js';
import { inputValue, type Value } from '../../src/ir/graph.js';
import { tensor, type ValueType } from '../../src/ir/type.js';
import type { Dimension, Graph, ValueInfo } from '../../src/onnx/types.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Context } from './context.js';
import { didYouMean, Malformed } from './malformed.js';
import { dtypeOfProto, opaque, textOf } from './type-proto.js';

/** Extents that the user gives for an input: numbers, or names of dimensions. */
export type ShapeOverrides = ReadonlyMap<string, readonly (number | string)[]>;

const largestExtent = 2 ** 40;

/** The model's inputs, in order; parameters that have an initializer are constants and left out. */
export function importInputs(
  ctx: Context,
  g: Graph,
  irVersion: number,
  overrides: ShapeOverrides,
): ReadonlyMap<string, Value> {
  const initialized = new Set([
    ...g.initializer.map((t) => t.name),
    ...g.sparseInitializer.map((t) => t.values?.name ?? ''),
  ]);
  const overridable = g.input.filter((i) => initialized.has(i.name));
  // Before IR version 4 every initializer had to be listed as an input.
  if (irVersion >= 4)
    for (const { name } of overridable)
      ctx.warn(`the input "${name}" has a default value in the model; it is taken as a constant`);
  const inputs = g.input.filter((i) => !initialized.has(i.name));
  const names = inputs.map((i) => i.name);
  for (const name of overrides.keys())
    if (!names.includes(name))
      throw new CompileError(
        'unknown-input',
        `a shape is given for "${name}", which is no input of the model`,
        didYouMean(name, names) ?? `its inputs are ${names.map((n) => JSON.stringify(n)).join(', ')}`,
      );
  for (const i of inputs) fixNames(ctx, i, overrides.get(i.name));
  return new Map(
    inputs.map((i) => [i.name, inputValue(i.name, inputType(ctx, i, overrides.get(i.name)))] as const),
  );
}

/** A number given for a named dimension holds wherever the model uses the name. */
function fixNames(
  ctx: Context,
  { name, type }: ValueInfo,
  given: readonly (number | string)[] | undefined,
): void {
  type?.tensorType?.shape?.dim.forEach((d, axis) => {
    const extent = given?.[axis];
    if (extent === undefined || d.dimParam === undefined || !isName(d.dimParam)) return;
    const before = ctx.symbols.fix(
      d.dimParam,
      typeof extent === 'number' ? extent : ctx.symbols.named(extent),
    );
    if (before !== undefined)
      throw new CompileError(
        'shape-conflict',
        `axis ${axis} of the input "${name}" is "${d.dimParam}", which was given another extent before`,
        'give the same extent to every axis of that name',
      );
  });
}

function inputType(
  ctx: Context,
  info: ValueInfo,
  given: readonly (number | string)[] | undefined,
): ValueType {
  const { name, type } = info;
  if (!type) throw new Malformed('untyped-input', `the input "${name}" has no type`);
  const dtype = type.tensorType && dtypeOfProto(type.tensorType.elemType);
  const declared = type.tensorType?.shape?.dim;
  if (type.tensorType?.elemType === 0)
    throw new Malformed('untyped-input', `the input "${name}" has no element type`);
  if (dtype === undefined || (declared === undefined && !given)) {
    if (given) throw new CompileError('bad-shape', `the input "${name}" is no tensor of a known type`);
    if (dtype !== undefined)
      ctx.warn(`the input "${name}" has no known rank: what depends on it is not compiled; give its shape`);
    return opaque(textOf(type));
  }
  if (given && declared && given.length !== declared.length)
    throw new CompileError(
      'bad-shape',
      `the shape given for "${name}" has ${given.length} axes where the model declares ${declared.length}`,
    );
  const dims = (declared ?? given!).map((_, axis) => dimOf(ctx, name, axis, declared?.[axis], given?.[axis]));
  return tensor(dtype, dims);
}

function dimOf(
  ctx: Context,
  input: string,
  axis: number,
  declared: Dimension | undefined,
  given: number | string | undefined,
): Dim {
  const where = `axis ${axis} of the input "${input}"`;
  const fixed = declared?.dimValue === -1 ? undefined : declared?.dimValue;
  if (declared?.dimValue === -1) ctx.warn(`${where} is declared as -1; taken as unknown`);
  if (fixed !== undefined) checkExtent(where, fixed);
  if (typeof given === 'number') {
    checkExtent(where, given);
    if (fixed !== undefined && fixed !== given)
      throw new CompileError('bad-shape', `${where} is ${fixed} in the model; it cannot be ${given}`);
    return given;
  }
  if (fixed !== undefined) return fixed;
  if (given !== undefined) return ctx.symbols.named(given);
  const name = declared?.dimParam ?? '';
  return ctx.symbols.named(isName(name) ? name : `${input}_${axis}`);
}

/** Exporters write `?` and `None` for extents they do not know; two of those need not be equal. */
const isName = (param: string): boolean => /[A-Za-z0-9]/.test(param) && param !== 'None';

function checkExtent(where: string, extent: number): void {
  if (!Number.isSafeInteger(extent) || extent < 0 || extent > largestExtent)
    throw new Malformed(
      'bad-extent',
      `${where} is ${extent}`,
      `an extent is a whole number from 0 to ${largestExtent}`,
    );
}
