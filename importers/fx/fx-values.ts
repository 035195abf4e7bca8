import { float, isArray, isObject, type Json } from '../pt2/json.js';
import { BadProgram } from './schema.js';

/** What a node of a torch.fx graph yields: a tensor or a size of the program, or what Python computes with. */
export type Known =
  | { readonly kind: 'tensor' | 'size'; readonly name: string }
  | { readonly kind: 'plain'; readonly value: Json }
  /** A tuple or a list, or with keys a dict. */
  | { readonly kind: 'list'; readonly items: readonly Known[]; readonly keys?: readonly string[] };

export const plain = (value: Json): Known => ({ kind: 'plain', value });

const scalarTypes: Readonly<Record<string, number>> = {
  uint8: 1,
  int8: 2,
  int16: 3,
  short: 3,
  int32: 4,
  int: 4,
  int64: 5,
  long: 5,
  float16: 6,
  half: 6,
  float32: 7,
  float: 7,
  float64: 8,
  double: 8,
  complex64: 10,
  complex128: 11,
  bool: 12,
  bfloat16: 13,
  uint16: 28,
  float8_e4m3fn: 29,
  float8_e5m2: 30,
  uint32: 34,
  uint64: 35,
};
const memoryFormats = ['contiguous_format', 'channels_last', 'channels_last_3d', 'preserve_format'];

/** PyTorch's number of `torch.float32`. */
export function scalarTypeNumber(text: string): number | undefined {
  const name = text.replace(/^torch\./, '');
  return text.startsWith('torch.') && Object.hasOwn(scalarTypes, name) ? scalarTypes[name] : undefined;
}

/** A value as an argument of an exported program. */
export function argumentOf(v: Known, where: string): Json {
  switch (v.kind) {
    case 'tensor':
      return { as_tensor: { name: v.name } };
    case 'size':
      return { as_sym_int: { as_name: v.name } };
    case 'list':
      return listArgument(v.items, where);
    case 'plain':
      return isArray(v.value) ? listArgument(v.value.map(plain), where) : plainArgument(v.value, where);
    default:
      return v satisfies never;
  }
}

function plainArgument(value: Json, where: string): Json {
  if (value === null) return { as_none: true };
  if (typeof value === 'boolean') return { as_bool: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { as_int: value } : { as_float: value };
  if (typeof value !== 'string')
    throw new BadProgram('bad-argument', `${where} is an object that no operator takes`);
  if (/^#-?\d+$/.test(value)) return { as_int: value };
  if (value.startsWith('#') && float(value) !== undefined) return { as_float: float(value)! };
  if (/^(-?Infinity|NaN)$/.test(value)) return { as_float: value };
  const type = scalarTypeNumber(value);
  if (type !== undefined) return { as_scalar_type: type };
  const format = memoryFormats.indexOf(value.replace(/^torch\./, ''));
  if (format >= 0) return { as_memory_format: format + 1 };
  if (value === 'torch.strided') return { as_layout: 7 };
  if (/^(cpu|cuda|meta)(:\d+)?$/.test(value))
    return { as_device: { type: value.replace(/:.*/, ''), index: null } };
  return { as_string: value };
}

function listArgument(items: readonly Known[], where: string): Json {
  const args = items.map((v) => argumentOf(v, where));
  const form = (arg: Json): string => Object.keys(isObject(arg) ? arg : {})[0]!;
  const inner = (arg: Json): Json => Object.values(isObject(arg) ? arg : {})[0]!;
  const forms = new Set(args.map(form));
  const only = (...allowed: readonly string[]): boolean => [...forms].every((f) => allowed.includes(f));
  if (only('as_int')) return { as_ints: args.map(inner) };
  if (only('as_int', 'as_sym_int'))
    return { as_sym_ints: args.map((a) => (form(a) === 'as_int' ? a : inner(a))) };
  if (only('as_bool')) return { as_bools: args.map(inner) };
  if (only('as_int', 'as_float')) return { as_floats: args.map(inner) };
  if (only('as_tensor')) return { as_tensors: args.map(inner) };
  if (only('as_tensor', 'as_none')) return { as_optional_tensors: args };
  throw new BadProgram('bad-argument', `${where} is a list of ${[...forms].join(' and ')}`);
}

/** A tuple or list that Python printed, `(3, 3)`, or a number, a boolean or text. */
export function parsePrinted(text: string): Json {
  const trimmed = text.trim();
  const list = /^[([](.*)[)\]]$/s.exec(trimmed);
  if (list)
    return list[1]!
      .split(',')
      .filter((s) => s.trim() !== '')
      .map(parsePrinted);
  if (trimmed === 'True' || trimmed === 'False') return trimmed === 'True';
  if (trimmed === 'None') return null;
  if (/^-?\d+$/.test(trimmed)) return Number(trimmed);
  return /^-?\d*\.?\d+(e[-+]?\d+)?$/i.test(trimmed) ? `#${Number(trimmed)}` : trimmed;
}
