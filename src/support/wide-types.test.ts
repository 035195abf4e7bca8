import { expect, test } from 'vitest';
import { bitsOf } from './element-formats.js';
import { type TensorData, toNumbers } from './tensor-data.js';
import { narrowed, widened, widerType } from './wide-types.js';

const types = [
  'bf16',
  'f8e4m3fn',
  'f8e4m3fnuz',
  'f8e5m2',
  'f8e5m2fnuz',
  'f8e8m0',
  'f4e2m1',
  'i4',
  'i2',
  'u4',
  'u2',
];

/** Every bit pattern of the type, and one element more so that the last byte is half used. */
function everyPattern(dtype: string): TensorData {
  const bits = bitsOf(dtype)!;
  const count = 2 ** bits + (bits < 8 ? 1 : 0);
  const bytes = new Uint8Array(Math.ceil((count * bits) / 8));
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    const code = i % 2 ** bits;
    if (bits === 16) view.setUint16(2 * i, code, true);
    else bytes[(i * bits) >> 3]! |= code << ((i * bits) & 7);
  }
  return { dtype, shape: [count], bytes };
}

test.each(types)('%s as a wider type and back', (dtype) => {
  const all = everyPattern(dtype);
  const wide = widened(all);
  expect(wide.dtype).toBe(widerType(dtype));
  expect(toNumbers(wide)).toEqual(toNumbers(all));
  const back = narrowed(wide, dtype);
  expect(toNumbers(back)).toEqual(toNumbers(all));
  // Only patterns of NaN may come back as another one.
  const values = toNumbers(all);
  if (values.every((v) => !Number.isNaN(v))) expect(back.bytes).toEqual(all.bytes);
});

test('other types stay as they are', () => {
  const tensor = { dtype: 'f16', shape: [1], bytes: Uint8Array.of(0, 60) };
  expect(widened(tensor)).toBe(tensor);
});
