import { describe, expect, it } from 'vitest';
import { memoryBlob } from '../../src/support/blob.js';
import { readSafetensors } from './safetensors.js';

function file(header: unknown, bytes = new Uint8Array(16), claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  return Buffer.concat([length, text, bytes]);
}

const read = (...args: Parameters<typeof file>) => readSafetensors(memoryBlob(file(...args)));
const entry = (more: object = {}) => ({ dtype: 'F32', shape: [2, 2], data_offsets: [0, 16], ...more });

describe('safetensors', () => {
  it('are read by name, tensors and metadata apart', () => {
    const bytes = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
    const tensors = read(
      { __metadata__: { format: 'pt' }, a: entry(), empty: entry({ shape: [0, 3], data_offsets: [16, 16] }) },
      bytes,
    );
    expect([...tensors.keys()]).toEqual(['a', 'empty']);
    expect(tensors.get('a')!.numbers()).toEqual([1, 2, 3, 4]);
    expect(tensors.get('empty')!.byteLength).toBe(0);
  });

  it.each([
    ['a file of four bytes', Uint8Array.of(1, 2, 3, 4), 'shorter than its header'],
    ['a header beyond the file', file({}, undefined, 2n ** 40n), 'claims'],
    ['a header of 2^64 bytes', file({}, undefined, 2n ** 64n - 1n), 'claims'],
    ['a header that is no JSON', file('{"a": '), 'no valid JSON'],
    ['a header that is a list', file([]), 'no object'],
    ['a header nested without end', file('['.repeat(10_000)), 'levels deep'],
    ['a type that is not known', file({ a: entry({ dtype: 'F4' }) }), '"F4", which is not known'],
    ['a type from the prototype', file({ a: entry({ dtype: 'constructor' }) }), 'which is not known'],
    ['a range beyond the file', file({ a: entry({ shape: [4, 4], data_offsets: [0, 64] }) }), 'ends outside'],
    ['a range turned round', file({ a: entry({ data_offsets: [16, 0] }) }), 'no place'],
    ['sizes that do not fit', file({ a: entry({ shape: [3, 2] }) }), '6 elements of f32 in 16 bytes'],
    ['sizes below zero', file({ a: entry({ shape: [-2, -2] }) }), 'no size that can be'],
    [
      'sizes beyond 2^53',
      file('{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,16]}}'),
      'no size that can be',
    ],
    [
      'sizes whose product is endless',
      file({ a: entry({ shape: [2 ** 40, 2 ** 40, 2 ** 40] }) }),
      'in 16 bytes',
    ],
    [
      'two tensors that overlap',
      file({ a: entry(), b: entry({ shape: [1], data_offsets: [4, 8] }) }),
      'overlap',
    ],
    ['no place at all', file({ a: { dtype: 'F32', shape: [1] } }), 'lacks its shape or its place'],
    ['an entry that is a number', file({ a: 3 }), 'which is not known'],
  ])('refuse %s', (_, bytes, message) => {
    expect(() => readSafetensors(memoryBlob(bytes))).toThrow(message);
  });
});
