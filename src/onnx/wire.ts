import type { Reader, Writer } from 'protobufjs/minimal.js';

/** How the single values of a field lie in the bytes. */
export interface Scalar<T> {
  readonly wire: number;
  /** Relative heap cost of one value, see the budget in `decode.ts`. */
  readonly cost: number;
  read(reader: Reader): T;
  write(writer: Writer, value: T): void;
}

export const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

export const string: Scalar<string> = {
  wire: wireType.delimited,
  cost: 1,
  read: (reader) => reader.string(),
  write: (writer, value) => void writer.string(value),
};

export const bytes: Scalar<Uint8Array> = {
  wire: wireType.delimited,
  cost: 8,
  read: (reader) => readView(reader, reader.size()),
  write: (writer, value) => void writer.bytes(value),
};

export const float: Scalar<number> = {
  wire: wireType.fixed32,
  cost: 1,
  read: (reader) => reader.float(),
  write: (writer, value) => void writer.float(value),
};

export const int32: Scalar<number> = {
  wire: wireType.varint,
  cost: 1,
  read: (reader) => reader.int32(),
  write: (writer, value) => void writer.int32(value),
};

export const int64: Scalar<bigint> = {
  wire: wireType.varint,
  cost: 2,
  read(reader) {
    const { low, high } = reader.int64();
    return high === low >> 31 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low >>> 0);
  },
  write(writer, value) {
    const small = Number(value);
    writer.int64(Number.isSafeInteger(small) ? small : BigInt.asIntN(64, value).toString());
  },
};

/** An `int64` that counts or indexes something. */
export const count: Scalar<number> = {
  wire: wireType.varint,
  cost: 1,
  read(reader) {
    const { low, high } = reader.int64();
    const value = high * 2 ** 32 + (low >>> 0);
    if (!Number.isSafeInteger(value)) throw new Error(`the number ${value} is absurdly large`);
    return value;
  },
  write(writer, value) {
    if (!Number.isSafeInteger(value)) throw new Error(`${value} is not an integer of at most 53 bits`);
    writer.int64(value);
  },
};

/** The next `length` bytes as a plain `Uint8Array`, sharing memory with what is read. */
export function readView(reader: Reader, length: number): Uint8Array {
  const start = reader.pos;
  if (length > reader.len - start) {
    throw new Error(`${length} bytes are announced where ${reader.len - start} are left`);
  }
  reader.pos = start + length;
  return new Uint8Array(reader.buf.buffer, reader.buf.byteOffset + start, length);
}
