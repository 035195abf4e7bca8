import protobuf from 'protobufjs/minimal.js';
import { describe, expect, test } from 'vitest';
import { fromBase64, publishedModels, written } from '../../fixtures/onnx-codec/material.js';
import { CompileError } from '../support/diagnostic.js';
import { decodeModel, decodeNode, decodeTensor, decodeTypeProto } from './decode.js';
import { encodeModel, encodeTypeProto } from './encode.js';
import { makeGraph, makeModel, tensorTypeProto } from './make.js';
import type { TypeProto } from './types.js';

const NOTHING = new Uint8Array();
const everyField = fromBase64(written.messages.ModelProto!);

/** Decodes, and returns the error if there is one. Anything but a `CompileError` is passed on. */
function failure(decode: () => unknown): CompileError | undefined {
  try {
    decode();
    return undefined;
  } catch (error) {
    if (!(error instanceof CompileError && error.code === 'bad-model')) throw error;
    return error;
  }
}

function message(write: (writer: protobuf.Writer) => void): Uint8Array {
  const writer = protobuf.Writer.create();
  write(writer);
  return Uint8Array.from(writer.finish());
}

describe('damaged files', () => {
  test('cut off anywhere', () => {
    let refused = 0;
    for (let length = 0; length < everyField.length; length++) {
      if (failure(() => decodeModel(everyField.subarray(0, length))) !== undefined) refused++;
    }
    // What remains after a cut between two fields of the outermost message is a message again.
    expect(refused).toBeGreaterThan(everyField.length - 20);
  });

  test('bits flipped', () => {
    const bytes = Uint8Array.from(everyField);
    let refused = 0;
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      if (failure(() => encodeModel(decodeModel(bytes))) !== undefined) refused++;
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(refused).toBeGreaterThan(bytes.length / 3);
  });

  test.each(publishedModels())('%s with random bytes changed', (_, original) => {
    const seed = { value: original.length };
    const random = (below: number): number => {
      seed.value = (Math.imul(seed.value, 1664525) + 1013904223) >>> 0;
      return seed.value % below;
    };
    const bytes = Uint8Array.from(original);
    for (let round = 0; round < 60; round++) {
      const at = random(bytes.length);
      const before = bytes[at]!;
      bytes[at] = random(256);
      const error = failure(() => decodeModel(bytes));
      if (error !== undefined) expect(error.message).toMatch(/at byte \d+ of \d+/);
      bytes[at] = before;
    }
  });
});

describe('hostile files', () => {
  test.each<[what: string, bytes: Uint8Array, reason: RegExp]>([
    ['no graph', message((w) => w.uint32(8).int64(8)), /there is no graph/],
    [
      'a graph twice',
      message((w) => w.uint32(58).bytes(NOTHING).uint32(58).bytes(NOTHING)),
      /graph appears twice/,
    ],
    ['an absurd length', Uint8Array.of(58, 0xff, 0xff, 0xff, 0xff, 7), /2147483647 bytes are announced/],
    ['a length beyond 31 bits', Uint8Array.of(58, 0xff, 0xff, 0xff, 0xff, 15), /invalid length/],
    ['a varint without end', new Uint8Array(20).fill(0xff).fill(8, 0, 1), /invalid varint/],
    ['a wrong wire type', message((w) => w.uint32((7 << 3) | 0).int64(8)), /graph has wire type 0 where 2/],
    ['a group', message((w) => w.uint32((9 << 3) | 3)), /wire type 3/],
    ['field number 0', Uint8Array.of(2, 0), /number 0/],
    ['an absurd version', message((w) => w.uint32(8).int64('9223372036854775807')), /absurdly large/],
  ])('%s', (_, bytes, reason) => {
    expect(failure(() => decodeModel(bytes))?.message).toMatch(reason);
  });

  test('messages may nest a hundred levels deep, and no deeper', () => {
    // Each sequence takes two levels, the innermost tensor type two.
    const nested = (sequences: number): TypeProto => {
      let type = tensorTypeProto('f32');
      for (let i = 0; i < sequences; i++) {
        type = {
          ...type,
          tensorType: undefined,
          sequenceType: { elemType: type },
        };
      }
      return type;
    };
    expect(decodeTypeProto(encodeTypeProto(nested(49)))).toEqual(nested(49));
    expect(failure(() => decodeTypeProto(encodeTypeProto(nested(50))))?.message).toMatch(/nest deeper/);
    expect(failure(() => decodeTypeProto(encodeTypeProto(nested(500))))?.message).toMatch(/nest deeper/);
  });

  test('two bytes for each record cannot fill the memory', () => {
    const bomb = new Uint8Array(12_000_000);
    for (let at = 0; at < bomb.length; at += 2) bomb[at] = 10;
    expect(failure(() => decodeModel(message((w) => w.uint32(58).bytes(bomb))))?.message).toMatch(
      /more records/,
    );
  });

  test('values that cross the end of their message', () => {
    const graph = message((w) => w.uint32((2 << 3) | 2).uint32(5));
    const bytes = message((w) =>
      w
        .uint32(58)
        .bytes(graph)
        .uint32((6 << 3) | 2)
        .string('documentation'),
    );
    expect(failure(() => decodeModel(bytes))).toBeInstanceOf(CompileError);
  });

  test('an error tells place and position', () => {
    const text = failure(() => decodeModel(everyField.subarray(0, 200)))?.render();
    expect(text).toMatch(/not a valid ONNX ModelProto: in \w+, at byte \d+ of 200/);
  });
});

describe('unusual but valid', () => {
  test('unknown fields are passed over', () => {
    const model = makeModel({ irVersion: 14, graph: makeGraph({ name: 'g' }) });
    const unknown = message((w) =>
      w
        .uint32((1000 << 3) | 0)
        .int64(-1)
        .uint32((1001 << 3) | 1)
        .fixed64(7)
        .uint32((1002 << 3) | 2)
        .string('text')
        .uint32((1003 << 3) | 5)
        .fixed32(7),
    );
    expect(decodeModel(Buffer.concat([encodeModel(model), unknown]))).toEqual(model);
  });

  test('lists packed where usually they are not, and the reverse', () => {
    const ints = message((w) =>
      w
        .uint32((8 << 3) | 2)
        .fork()
        .int64(1)
        .int64(-1)
        .ldelim(),
    );
    expect(decodeNode(message((w) => w.uint32((5 << 3) | 2).bytes(ints))).attribute[0]?.ints).toEqual([
      1n,
      -1n,
    ]);
    const single = message((w) => {
      for (const value of [1.5, -2, 3]) w.uint32((4 << 3) | 5).float(value);
      for (const value of [7, -8]) w.uint32((7 << 3) | 0).int64(value);
      w.uint32((4 << 3) | 5).float(4);
      w.uint32((7 << 3) | 2)
        .fork()
        .int64(9)
        .ldelim();
    });
    const tensor = decodeTensor(single);
    expect(tensor.floatData).toEqual(Float32Array.of(1.5, -2, 3, 4));
    expect(tensor.int64Data).toEqual(BigInt64Array.of(7n, -8n, 9n));
  });

  test('of the cases of a oneof, the last counts', () => {
    const bytes = message((w) =>
      w
        .uint32((1 << 3) | 2)
        .bytes(NOTHING)
        .uint32((4 << 3) | 2)
        .bytes(NOTHING),
    );
    const type = decodeTypeProto(bytes);
    expect(type.tensorType).toBeUndefined();
    expect(type.sequenceType).toEqual({ elemType: undefined });
  });

  test('the bytes may be part of a larger buffer', () => {
    const larger = new Uint8Array(everyField.length + 10).fill(255);
    larger.set(everyField, 5);
    expect(decodeModel(larger.subarray(5, -5))).toEqual(decodeModel(everyField));
  });
});
