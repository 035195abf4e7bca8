import type { Reader } from 'protobufjs/minimal.js';
import { readView, wireType } from './wire.js';

/** Passes over a field this schema does not know. Groups are no part of ONNX, so none is expected. */
export function skipValue(reader: Reader, tag: number): void {
  if (tag >>> 3 === 0) throw new Error('a field has number 0');
  skip(reader, tag & 7);
}

function skip(reader: Reader, wire: number): void {
  switch (wire) {
    case wireType.varint:
      reader.int64();
      break;
    case wireType.fixed64:
      readView(reader, 8);
      break;
    case wireType.delimited:
      readView(reader, reader.size());
      break;
    case wireType.fixed32:
      readView(reader, 4);
      break;
    default:
      throw new Error(`a field has the unknown wire type ${wire}`);
  }
}

/**
 * The values of a repeated field written one by one, as if they had been packed: takes this value and all that
 * follow directly. `tag` must be below 128, as those of all bulk data fields are.
 */
export function gatherRun(reader: Reader, tag: number): Uint8Array {
  const { buf } = reader;
  let packed = new Uint8Array(64);
  let used = 0;
  for (;;) {
    const start = reader.pos;
    skip(reader, tag & 7);
    const length = reader.pos - start;
    if (used + length > packed.length) {
      const larger = new Uint8Array(packed.length * 2);
      larger.set(packed);
      packed = larger;
    }
    for (let i = 0; i < length; i++) packed[used++] = buf[start + i]!;
    if (reader.pos >= reader.len || buf[reader.pos] !== tag) return packed.subarray(0, used);
    reader.pos++;
  }
}
