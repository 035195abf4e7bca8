import { isStatic, type Shape } from '../src/ir/dim.js';
import type { Value } from '../src/ir/graph.js';
import { is } from '../src/ir/graph.js';
import { type Literal, literal } from '../src/ir/literal.js';
import { bitsOf, type DType } from '../src/ir/type.js';
import { constant } from '../src/ops/constant.js';
import { stridesOf } from '../src/ops/content.js';
import { elementCount } from '../src/support/tensor-data.js';

/** The elements of a value that is part of the model. */
export const literalAt = (v: Value): Literal | undefined =>
  is(v.node, constant) ? v.node.attrs.value : undefined;

/** Whether elements have a whole number of bytes, so that they can be moved one by one. */
const hasBytes = (t: DType): boolean => bitsOf[t] >= 8 && bitsOf[t] <= 64;

const arrays = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array, 64: BigUint64Array } as const;

/** A literal of some shape whose element i is element offset + sum of i[d] * strides[d] of another one. */
function strided(
  l: Literal,
  shape: readonly number[],
  offset: number,
  strides: readonly number[],
): Literal | undefined {
  if (!hasBytes(l.dtype)) return undefined;
  const bytes = l.bytes();
  const Elements = arrays[bitsOf[l.dtype] as keyof typeof arrays];
  const size = Elements.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const from = new Elements(aligned.buffer as ArrayBuffer, aligned.byteOffset, l.size) as Uint32Array;
  const count = elementCount(shape);
  const to = new Elements(count) as Uint32Array;
  const rank = shape.length;
  const inner = shape[rank - 1] ?? 1;
  const step = strides[rank - 1] ?? 0;
  const index = shape.map(() => 0);
  let at = offset;
  for (let out = 0; out < count; ) {
    for (let i = 0, p = at; i < inner; i++, p += step) to[out++] = from[p]!;
    for (let d = rank - 2; d >= 0; d--) {
      at += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      at -= shape[d]! * strides[d]!;
      index[d] = 0;
    }
  }
  return literal(l.dtype, shape, new Uint8Array(to.buffer));
}

export function transposed(l: Literal, perm: readonly number[]): Literal | undefined {
  const strides = stridesOf(l.shape);
  return strided(
    l,
    perm.map((p) => l.shape[p]!),
    0,
    perm.map((p) => strides[p]!),
  );
}

export function slicedLiteral(l: Literal, starts: Shape, steps: Shape, shape: Shape): Literal | undefined {
  if (!isStatic(starts) || !isStatic(steps) || !isStatic(shape)) return undefined;
  const strides = stridesOf(l.shape);
  const offset = starts.reduce((at: number, s, d) => at + s * strides[d]!, 0);
  return strided(
    l,
    shape,
    offset,
    strides.map((s, d) => s * steps[d]!),
  );
}

const scalars: ReadonlySet<DType> = new Set(
  'f64 f32 f16 bf16 i64 i32 i16 i8 u64 u32 u16 u8 bool'.split(' ') as DType[],
);

/** The one value that all elements have, in the form expressions hold it. */
export function splatOf(l: Literal): number | bigint | undefined {
  if (l.size === 0 || !scalars.has(l.dtype)) return undefined;
  const size = bitsOf[l.dtype] / 8;
  const head = l.read(0, Math.min(l.byteLength, 64 * size));
  if (!repeats(head, size) || (l.byteLength > head.length && !repeats(l.bytes(), size))) return undefined;
  const one = literal(l.dtype, [], head.slice(0, size));
  return /^[iu]64$/.test(l.dtype) ? one.bigints()[0] : one.numbers()[0];
}

function repeats(bytes: Uint8Array, size: number): boolean {
  for (let i = size; i < bytes.length; i++) if (bytes[i] !== bytes[i - size]) return false;
  return true;
}
