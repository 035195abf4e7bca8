import { Literal } from '../../src/ir/literal.js';
import type { DType } from '../../src/ir/type.js';
import type { Blob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { bytesPerElement } from '../fx/schema.js';
import { integer, isArray, isObject, type Json, parseJson } from './json.js';
import { part } from './zip.js';

const dtypes: Readonly<Record<string, DType>> = {
  BOOL: 'bool',
  U8: 'u8',
  I8: 'i8',
  U16: 'u16',
  I16: 'i16',
  U32: 'u32',
  I32: 'i32',
  U64: 'u64',
  I64: 'i64',
  F16: 'f16',
  BF16: 'bf16',
  F32: 'f32',
  F64: 'f64',
  F8_E4M3: 'f8e4m3fn',
  F8_E5M2: 'f8e5m2',
  F8_E8M0: 'f8e8m0',
  C64: 'c64',
};

const longestHeader = 100_000_000;
const mostElements = 2 ** 40;

const broken = (what: string): CompileError =>
  new CompileError(
    'bad-safetensors',
    `the safetensors file is damaged: ${what}`,
    'save or download it again',
  );

/**
 * The tensors of a safetensors file by name, none of them read yet: eight bytes of header length, a JSON header with
 * types, shapes and ranges, then the bytes.
 */
export function readSafetensors(file: Blob): ReadonlyMap<string, Literal> {
  if (file.byteLength < 8) throw broken('it is shorter than its header');
  const head = file.read(0, 8);
  const length = Number(new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true));
  if (length > longestHeader || 8 + length > file.byteLength)
    throw broken(`its header claims ${length} bytes`);
  const text = new TextDecoder().decode(file.read(8, length));
  const header = parseJson(text, 'the header of the safetensors file');
  if (!isObject(header)) throw broken('its header is no object');
  const start = 8 + length;
  const tensors = new Map<string, Literal>();
  const ranges: (readonly [from: number, to: number])[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, from, to } = entryOf(name, entry);
    if (start + to > file.byteLength) throw broken(`"${name}" ends outside the file`);
    const count = shape.reduce((a, b) => a * b, 1);
    if (count * bytesPerElement(dtype) !== to - from)
      throw broken(`"${name}" has ${count} elements of ${dtype} in ${to - from} bytes`);
    if (to > from) ranges.push([from, to]);
    tensors.set(name, new Literal(dtype, shape, part(file, start + from, to - from)));
  }
  ranges.sort((a, b) => a[0] - b[0]);
  for (let i = 1; i < ranges.length; i++)
    if (ranges[i]![0] < ranges[i - 1]![1]) throw broken('two tensors overlap');
  return tensors;
}

function entryOf(name: string, entry: Json) {
  const fields = isObject(entry) ? entry : {};
  const dtype =
    typeof fields.dtype === 'string' && Object.hasOwn(dtypes, fields.dtype)
      ? dtypes[fields.dtype]
      : undefined;
  if (dtype === undefined)
    throw new CompileError(
      'unknown-element-type',
      `the tensor "${name}" has elements of the type ${JSON.stringify(fields.dtype)}, which is not known`,
    );
  const whole = (value: Json | undefined): number => {
    const n = integer(value);
    if (n === undefined || n < 0n || n > BigInt(mostElements))
      throw broken(`"${name}" has no size that can be`);
    return Number(n);
  };
  const list = (value: Json | undefined): readonly number[] => {
    if (!isArray(value)) throw broken(`"${name}" lacks its shape or its place`);
    return value.map(whole);
  };
  const [from, to, more] = list(fields.data_offsets);
  if (from === undefined || to === undefined || more !== undefined || from > to)
    throw broken(`"${name}" has no place in the file`);
  return { dtype, shape: list(fields.shape), from, to };
}
