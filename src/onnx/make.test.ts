import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromBase64, written } from '../../fixtures/onnx-codec/material.js';
import { CompileError } from '../support/diagnostic.js';
import { encodeModel } from './encode.js';
import {
  floatAttribute,
  floatsAttribute,
  graphAttribute,
  intAttribute,
  intsAttribute,
  makeGraph,
  makeModel,
  makeNode,
  makeOpset,
  makeTensor,
  stringAttribute,
  stringsAttribute,
  tensorAttribute,
  tensorValue,
} from './make.js';
import { readModelFile } from './model-file.js';

const value = makeTensor('v', 'i16', [2], Uint8Array.of(0xff, 0xff, 2, 0));

const model = makeModel({
  irVersion: 13,
  producerName: 'p',
  opsetImport: [makeOpset('', 26), makeOpset('d', 1)],
  graph: makeGraph({
    name: 'g',
    node: [
      makeNode({
        opType: 'Op',
        domain: 'd',
        input: ['x', ''],
        output: ['y'],
        // The package sorts attributes by name.
        attribute: [
          floatAttribute('f', 0.5),
          floatsAttribute('fs', [1, -2.5]),
          graphAttribute('g', makeGraph({ name: 'inner' })),
          intAttribute('i', -7),
          intsAttribute('is_', [0, -1, 2 ** 40]),
          stringAttribute('s', 'sé'),
          stringsAttribute('ss', ['a', 'bc']),
          tensorAttribute('t', value),
        ],
      }),
    ],
    initializer: [value],
    input: [tensorValue('x', 'f16', ['N', 3, undefined])],
    output: [tensorValue('y', 'bool')],
  }),
});

const dir = mkdtempSync(join(tmpdir(), 'model-file-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('a model is what the onnx package makes of the same parts', () => {
  const path = join(dir, 'made.onnx');
  writeFileSync(path, fromBase64(written.made));
  expect(readModelFile(path)).toMatchObject({ model, baseDir: dir });
});

test('it is written with the same meaning', () => {
  const path = join(dir, 'again.onnx');
  writeFileSync(path, encodeModel(model));
  expect(readModelFile(path).model).toEqual(model);
});

test('files that are no models are named in the error', () => {
  const path = join(dir, 'page.onnx');
  writeFileSync(path, '<html>');
  expect(() => readModelFile(path)).toThrow(/a web page/);
  expect(() => readModelFile(join(dir, 'absent.onnx'))).toThrow(/absent.onnx/);
  expect(() => readModelFile(dir)).toThrow(CompileError);
});
