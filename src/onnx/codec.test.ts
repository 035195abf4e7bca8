import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import onnxProto from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { fromBase64, publishedModels, recordsOf, written } from '../../fixtures/onnx-codec/material.js';
import { decodeMessage, decodeModel, decodeNode } from './decode.js';
import { encodeMessage, encodeModel, encodeNode } from './encode.js';
import type { Schema } from './field.js';
import { intAttribute, makeNode } from './make.js';
import * as schemas from './schema.js';

const allSchemas = Object.values(schemas) as readonly Schema<unknown>[];

describe('published models', () => {
  test.each(publishedModels())('%s reads as onnx-proto reads it', (_, bytes) => {
    expect(normal(decodeModel(bytes))).toEqual(normal(peerDecode(bytes)));
  });

  test.each(publishedModels())('%s survives reading and writing', (_, bytes) => {
    const model = decodeModel(bytes);
    const again = encodeModel(model);
    // Much faster on megabytes of weights than a matcher is.
    expect(isDeepStrictEqual(decodeModel(again), model)).toBe(true);
    expect(normal(peerDecode(again))).toEqual(normal(peerDecode(bytes)));
  });

  test('weights are views into the file', () => {
    const [, bytes] = publishedModels()[0]!;
    const raw = decodeModel(bytes).graph.initializer.map((tensor) => tensor.rawData);
    expect(raw.length).toBeGreaterThan(0);
    expect(raw.every((data) => data === undefined || data.buffer === bytes.buffer)).toBe(true);
  });
});

describe('messages of the onnx package with every field set', () => {
  const byName = new Map(allSchemas.map((schema) => [schema.name, schema]));

  test.each(Object.entries(written.messages))('%s is written byte for byte as it was read', (name, text) => {
    const bytes = fromBase64(text);
    const schema = byName.get(name)!;
    expect(Buffer.from(encodeMessage(schema, decodeMessage(schema, bytes))).toString('base64')).toBe(text);
  });

  test('the schema names every field that they hold', () => {
    const seen = new Set<string>();
    for (const [name, text] of Object.entries(written.messages)) {
      const schema = byName.get(name)!;
      const record = decodeMessage(schema, fromBase64(text)) as Record<string, unknown>;
      for (const member of schema.members) {
        if (member.oneof === undefined && record[member.key] === member.absent)
          seen.add(`${name}.${member.key}`);
      }
    }
    expect([...seen]).toEqual([]);
  });

  test('a node with everything that IR version 10 and later added', () => {
    const node = makeNode({
      opType: 'Cast',
      input: ['x'],
      output: ['y'],
      name: 'n',
      docString: 'doc',
      domain: 'my.domain',
      overload: 'over',
      attribute: [intAttribute('to', 17)],
      metadataProps: [{ key: 'k', value: 'v' }],
      deviceConfigurations: [
        {
          configurationId: 'c',
          pipelineStage: 0,
          shardingSpec: [
            {
              tensorName: 'x',
              device: [0, 1],
              indexToDeviceGroupMap: [{ key: -1, value: [2, 3] }],
              shardedDim: [
                { axis: 1, simpleSharding: [{ dimValue: undefined, dimParam: 'N', numShards: 2 }] },
              ],
            },
          ],
        },
      ],
    });
    expect(decodeNode(fromBase64(written.node))).toEqual(node);
    expect(decodeNode(encodeNode(node))).toEqual(node);
  });
});

describe('random records', () => {
  test.each(allSchemas.map((schema) => [schema.name, schema] as const))('%s', (_, schema) => {
    const property = fc.property(recordsOf(schema, 3), (record) => {
      expect(decodeMessage(schema, encodeMessage(schema, record))).toEqual(record);
    });
    fc.assert(property, { numRuns: 30 });
  });
});

function peerDecode(bytes: Uint8Array): object {
  const { ModelProto } = onnxProto.onnx;
  return ModelProto.toObject(ModelProto.decode(bytes), { longs: String });
}

/** Both libraries' records in one form: numbers as text, nothing that has its default. */
function normal(value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array, normal);
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, normal(item)] as const);
  return Object.fromEntries(entries.filter(([, item]) => !isDefault(item)));
}

function isDefault(item: unknown): boolean {
  return item === undefined || item === '' || item === '0' || (Array.isArray(item) && item.length === 0);
}
