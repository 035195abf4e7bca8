import { bitsOf, type DType } from '../../src/ir/type.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { float, integer, isArray, isObject, type Json } from '../pt2/json.js';

/** The export's structure is broken or newer than we know. */
export class BadProgram extends CompileError {}

const unreadable = (where: string, what: string): BadProgram =>
  new BadProgram('bad-program', `${where} ${what}`, 'the file is damaged, or written by a newer PyTorch');

export type Fields = { readonly [key: string]: Json };

export function fieldsOf(value: Json | undefined, where: string): Fields {
  if (!isObject(value)) throw unreadable(where, 'is no object');
  return value;
}

export function listOf(value: Json | undefined, where: string): readonly Json[] {
  if (!isArray(value)) throw unreadable(where, 'is no list');
  return value;
}

export function textOf(value: Json | undefined, where: string): string {
  if (typeof value !== 'string') throw unreadable(where, 'is no text');
  return value;
}

/** A whole number; those beyond 2^53, which only ever mean "to the end", are cut to it. */
export function wholeOf(value: Json | undefined, where: string): number {
  const n = integer(value);
  if (n === undefined) throw unreadable(where, 'is no whole number');
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(n > limit ? limit : n < -limit ? -limit : n);
}

/** The one field of a union that is set. */
export function unionOf(value: Json | undefined, where: string): readonly [key: string, value: Json] {
  const keys = Object.keys(fieldsOf(value, where));
  const set = keys.length === 1 ? keys : keys.filter((k) => (value as Fields)[k] !== null);
  if (set.length !== 1) throw unreadable(where, `has ${set.length} of the forms it may have one of`);
  return [set[0]!, (value as Fields)[set[0]!]!];
}

/** A size or condition: a number, or an expression with the name of nothing. */
export type Size = number | { readonly expression: string };

export function sizeOf(value: Json | undefined, where: string): Size {
  const [key, inner] = unionOf(value, where);
  switch (key) {
    case 'as_int':
      return wholeOf(inner, where);
    case 'as_bool':
      return inner === true ? 1 : 0;
    case 'as_expr':
      return { expression: textOf(fieldsOf(inner, where).expr_str, where) };
    case 'as_float':
      return { expression: `Float(${float(inner) ?? 0})` };
    default:
      throw unknownForm(where, key);
  }
}

export const unknownForm = (where: string, key: string): BadProgram =>
  new BadProgram(
    'unknown-form',
    `${where} has the form "${key}", which is not known`,
    'the file was written by a newer PyTorch than this version knows: update ait-convert',
  );

export interface TensorMeta {
  readonly dtype: DType;
  readonly sizes: readonly Size[];
  readonly strides: readonly Size[];
  readonly offset: Size;
}

/** PyTorch's own numbers, not those of its C++ enumeration. */
const scalarTypes: Readonly<Record<number, DType>> = {
  1: 'u8',
  2: 'i8',
  3: 'i16',
  4: 'i32',
  5: 'i64',
  6: 'f16',
  7: 'f32',
  8: 'f64',
  10: 'c64',
  11: 'c128',
  12: 'bool',
  13: 'bf16',
  28: 'u16',
  29: 'f8e4m3fn',
  30: 'f8e5m2',
  31: 'f8e4m3fnuz',
  32: 'f8e5m2fnuz',
  33: 'f8e8m0',
  34: 'u32',
  35: 'u64',
};

/** PyTorch's number of a type. */
export const scalarTypeNumberOf = (t: DType): number =>
  Number(Object.entries(scalarTypes).find(([, known]) => known === t)?.[0] ?? 0);

export function scalarTypeOf(value: Json | undefined, where: string): DType {
  const number = wholeOf(value, where);
  const t = scalarTypes[number];
  if (t === undefined)
    throw new BadProgram(
      'unknown-element-type',
      `${where} has elements of PyTorch's type ${number}, which is not known`,
    );
  return t;
}

const stridedLayout = 7;

export function metaOf(value: Json | undefined, where: string): TensorMeta {
  const fields = fieldsOf(value, where);
  const layout = fields.layout;
  if (layout !== undefined && layout !== null && layout !== stridedLayout)
    throw new BadProgram(
      'sparse-tensor',
      `${where} is not dense`,
      'call .to_dense() on it before the export',
    );
  const sizes = (key: string): readonly Size[] => listOf(fields[key], where).map((s) => sizeOf(s, where));
  return {
    dtype: scalarTypeOf(fields.dtype, where),
    sizes: sizes('sizes'),
    strides: sizes('strides'),
    offset: sizeOf(fields.storage_offset, where),
  };
}

export const bytesPerElement = (t: DType): number => bitsOf[t] / 8;

export interface NamedArgument {
  readonly name: string;
  readonly arg: Json;
}

export interface ProgramNode {
  readonly target: string;
  readonly inputs: readonly NamedArgument[];
  readonly outputs: readonly Json[];
  readonly name: string;
  /** The path of the module that made it, empty for the outermost. */
  readonly path: string;
  /** The operators in whose decompositions it stands. */
  readonly within?: readonly string[];
}

export interface ProgramGraph {
  readonly inputs: readonly Json[];
  readonly outputs: readonly Json[];
  readonly nodes: readonly ProgramNode[];
  readonly tensors: Fields;
  readonly syms: Fields;
}

export function graphOf(value: Json | undefined, where: string): ProgramGraph {
  const g = fieldsOf(value, where);
  const optional = (key: string): Fields =>
    g[key] === undefined || g[key] === null ? {} : fieldsOf(g[key], where);
  return {
    inputs: listOf(g.inputs, where),
    outputs: listOf(g.outputs, where),
    nodes: listOf(g.nodes, where).map((n, i) => nodeOf(n, `node ${i}`)),
    tensors: fieldsOf(g.tensor_values, where),
    syms: { ...optional('sym_int_values'), ...optional('sym_bool_values'), ...optional('sym_float_values') },
  };
}

function nodeOf(value: Json, where: string): ProgramNode {
  const n = fieldsOf(value, where);
  const outputs = listOf(n.outputs, where);
  const name = typeof n.name === 'string' ? n.name : firstName(outputs);
  const metadata = isObject(n.metadata) ? n.metadata : {};
  const stack = metadata.nn_module_stack;
  return {
    target: textOf(n.target, where),
    inputs: listOf(n.inputs, where).map((a) => {
      const fields = fieldsOf(a, where);
      return { name: textOf(fields.name, where), arg: fields.arg ?? null };
    }),
    outputs,
    name: name ?? where,
    path: typeof stack === 'string' ? pathOf(stack) : '',
  };
}

const firstName = (outputs: readonly Json[]): string | undefined => namesIn(outputs)[0];

/** The names of the tensors and sizes in arguments, in order. */
export function namesIn(args: readonly Json[]): readonly string[] {
  return args.flatMap((a) => {
    if (!isObject(a)) return [];
    const [inner] = Object.values(a);
    if (isArray(inner)) return namesIn(inner.map((x) => (isObject(x) && 'name' in x ? { as_tensor: x } : x)));
    if (!isObject(inner)) return [];
    const name = inner.name ?? inner.as_name;
    return typeof name === 'string' ? [name] : [];
  });
}

/** The last record of a module stack, `key,path,type`, where path and type may contain commas in brackets. */
function pathOf(stack: string): string {
  const record = stack.slice(stack.lastIndexOf(';') + 1);
  let depth = 0;
  let field = '';
  const fields: string[] = [];
  for (const c of record) {
    if (c === '(' || c === '[') depth++;
    if (c === ')' || c === ']') depth--;
    if (c === ',' && depth === 0) {
      fields.push(field);
      field = '';
    } else field += c;
  }
  // What is added for inputs has a name of its own in every field.
  return fields[1] === undefined || fields[1].startsWith('_empty_nn_module') ? '' : fields[1];
}
