/** The vocabulary in which `schema.ts` writes down the messages: fields, and tables of them checked against the records. */
import type { Vector } from './vector.js';
import * as vectors from './vector.js';
import type { Scalar } from './wire.js';
import * as wire from './wire.js';

interface FieldOf<T> {
  readonly number: number;
  /** The value when no byte speaks of the field; it is not written either. */
  readonly absent: T;
  readonly oneof?: string;
  readonly required?: boolean;
}

export type Field<T> = FieldOf<T> &
  (
    | { readonly shape: 'scalar' | 'scalars'; readonly scalar: Scalar<unknown> }
    | { readonly shape: 'vector'; readonly vector: Vector<unknown> }
    | { readonly shape: 'record' | 'records'; readonly schema: () => Schema<unknown> }
  );

export type Member = Field<unknown> & { readonly key: string; readonly rivals: readonly string[] };

export interface Schema<T> {
  readonly name: string;
  /** In the order of their numbers. */
  readonly members: readonly Member[];
  readonly byNumber: readonly (Member | undefined)[];
  /** A record with every field absent. */
  readonly blank: T;
}

export function schema<T>(name: string, fields: { readonly [K in keyof T]: Field<T[K]> }): Schema<T> {
  const entries = Object.entries<Field<unknown>>(fields);
  const members = entries
    .map(([key, field]) => {
      const rivals = entries.filter(
        ([k, f]) => k !== key && field.oneof !== undefined && f.oneof === field.oneof,
      );
      return { ...field, key, rivals: rivals.map(([k]) => k) };
    })
    .sort((a, b) => a.number - b.number);
  const byNumber: (Member | undefined)[] = new Array(members.at(-1)!.number + 1).fill(undefined);
  for (const member of members) byNumber[member.number] = member;
  const blank = Object.fromEntries(entries.map(([key, field]) => [key, field.absent])) as T;
  return { name, members, byNumber, blank };
}

const NONE: readonly never[] = Object.freeze([]);

export const string = (number: number): Field<string> => scalar(number, wire.string, '');
export const int32 = (number: number): Field<number> => scalar(number, wire.int32, 0);
export const int64 = (number: number): Field<bigint> => scalar(number, wire.int64, 0n);
export const count = (number: number): Field<number> => scalar(number, wire.count, 0);

/** A scalar whose presence is a fact of its own, as `maybe(2, wire.float)`. */
export const maybe = <T>(number: number, of: Scalar<T>): Field<T | undefined> =>
  scalar(number, of, undefined);

export const strings = (number: number): Field<readonly string[]> => scalars(number, wire.string);
export const byteStrings = (number: number): Field<readonly Uint8Array[]> => scalars(number, wire.bytes);
export const floats = (number: number): Field<readonly number[]> => scalars(number, wire.float);
export const ints = (number: number): Field<readonly bigint[]> => scalars(number, wire.int64);
export const counts = (number: number): Field<readonly number[]> => scalars(number, wire.count);

export const floatVector = (number: number): Field<Float32Array> => vector(number, vectors.floats);
export const doubleVector = (number: number): Field<Float64Array> => vector(number, vectors.doubles);
export const int32Vector = (number: number): Field<Int32Array> => vector(number, vectors.int32s);
export const int64Vector = (number: number): Field<BigInt64Array> => vector(number, vectors.int64s);
export const uint64Vector = (number: number): Field<BigUint64Array> => vector(number, vectors.uint64s);

export function record<T>(number: number, of: () => Schema<T>): Field<T | undefined> {
  return { number, shape: 'record', schema: of, absent: undefined };
}

export function records<T>(number: number, of: () => Schema<T>): Field<readonly T[]> {
  return { number, shape: 'records', schema: of, absent: NONE };
}

/** Decoding fails without the field, so its record type need not say `undefined`. */
export function required<T>(field: Field<T | undefined>): Field<T> {
  return { ...field, required: true } as Field<T>;
}

export function oneof<T>(group: string, field: Field<T | undefined>): Field<T | undefined> {
  return { ...field, oneof: group };
}

function scalar<T, A extends T | undefined>(number: number, of: Scalar<T>, absent: A): Field<T | A> {
  return { number, shape: 'scalar', scalar: of as Scalar<unknown>, absent };
}

function scalars<T>(number: number, of: Scalar<T>): Field<readonly T[]> {
  return { number, shape: 'scalars', scalar: of as Scalar<unknown>, absent: NONE };
}

function vector<A>(number: number, of: Vector<A>): Field<A> {
  return { number, shape: 'vector', vector: of as Vector<unknown>, absent: of.empty };
}
