import { describe, expect, test } from 'vitest';
import { fromBase64, written } from '../../fixtures/onnx-codec/material.js';
import { CompileError } from '../support/diagnostic.js';
import { decodeTensor } from './decode.js';
import { bitsOf, dataTypeOf, elementTypeOf, elementTypes } from './dtype.js';
import { make, makeStringTensor, makeTensor } from './make.js';
import * as schemas from './schema.js';
import { tensorBlob, tensorStrings } from './tensor-data.js';

describe('the bytes that the onnx package gives for each element type', () => {
  test('all element types are covered', () => {
    const covered = written.tensors.map(({ dataType }) => elementTypeOf(dataType));
    expect(new Set([...covered, 'string'])).toEqual(new Set(elementTypes));
  });

  test.each(written.tensors)('$name', ({ dataType, typed, raw, bytes }) => {
    const elementType = elementTypeOf(dataType)!;
    expect(dataTypeOf(elementType)).toBe(dataType);
    for (const form of [typed, raw]) {
      const blob = tensorBlob(decodeTensor(fromBase64(form)), undefined);
      expect(Buffer.from(blob.read()).toString('base64')).toBe(bytes);
      expect(blob).toMatchObject({
        elementType,
        dims: [7],
        count: 7,
        byteLength: Math.ceil((7 * bitsOf(elementType)) / 8),
      });
    }
  });

  test('strings', () => {
    const tensor = decodeTensor(fromBase64(written.strings));
    expect(tensorStrings(tensor)).toEqual(['plain', 'grün']);
    expect(makeStringTensor('s', [2], ['plain', 'grün'])).toEqual(tensor);
  });
});

test('scalars, empty tensors and parts', () => {
  expect(tensorBlob(makeTensor('t', 'u16', [], Uint8Array.of(1, 2)), undefined).count).toBe(1);
  expect(tensorBlob(makeTensor('t', 'f32', [3, 0], new Uint8Array()), undefined).byteLength).toBe(0);
  expect(tensorBlob(make(schemas.tensor, { dataType: 1, dims: [0] }), undefined).byteLength).toBe(0);
  const blob = tensorBlob(makeTensor('t', 'u8', [4], Uint8Array.of(1, 2, 3, 4)), undefined);
  expect(blob.read(1, 2)).toEqual(Uint8Array.of(2, 3));
  expect(blob.read(3)).toEqual(Uint8Array.of(4));
  expect(() => blob.read(3, 2)).toThrow(CompileError);
});

test.each([
  ['too few bytes', makeTensor('t', 'f32', [2], new Uint8Array(7)), /7 bytes where its shape asks for 8/],
  ['too many bytes', makeTensor('t', 'i4', [3], new Uint8Array(3)), /3 bytes where its shape asks for 2/],
  ['no data', make(schemas.tensor, { dataType: 1, dims: [1] }), /0 bytes/],
  ['an unknown element type', make(schemas.tensor, { dataType: 99 }), /type 99 is unknown/],
  ['a negative dimension', makeTensor('t', 'f32', [-1], new Uint8Array(4)), /dimension -1/],
  ['huge dimensions', makeTensor('t', 'f32', [2 ** 40, 2 ** 40], new Uint8Array(4)), /absurdly large/],
  ['strings', makeStringTensor('t', [1], ['a']), /no packed bytes/],
  ['a segment', make(schemas.tensor, { dataType: 1, segment: { begin: 0, end: 1 } }), /segment/],
])('%s', (_, tensor, reason) => {
  expect(() => tensorBlob(tensor, undefined)).toThrow(CompileError);
  expect(() => tensorBlob(tensor, undefined)).toThrow(reason);
});
