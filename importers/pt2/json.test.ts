import { describe, expect, it } from 'vitest';
import { float, integer, isArray, isObject, parseJson } from './json.js';

describe('JSON of PyTorch', () => {
  it('keeps integers of 64 bits, infinities and NaN', () => {
    const text =
      '[9223372036854775807, -9223372036854775808, 9007199254740993, NaN, -Infinity, Infinity, 12]';
    const list = parseJson(text, 'x');
    if (!isArray(list)) throw new Error('no list');
    expect(list.slice(0, 3).map(integer)).toEqual([2n ** 63n - 1n, -(2n ** 63n), 9007199254740993n]);
    expect(list.slice(3, 6).map(float)).toEqual([Number.NaN, -Infinity, Infinity]);
    expect(integer(list[6])).toBe(12n);
    expect(float(list[0])).toBe(2 ** 63);
  });

  it('leaves strings as they are, and floats of many digits', () => {
    const text = String.raw`{"a\\": "x\"9223372036854775807 NaN[", "b": 1234567890123456.5, "c": 1e25, "d": "\\"}`;
    const found = parseJson(text, 'x');
    if (!isObject(found)) throw new Error('no object');
    expect(found).toEqual({
      'a\\': 'x"9223372036854775807 NaN[',
      b: 1234567890123456.5,
      c: 1e25,
      d: '\\',
    });
  });

  it.each(['{"a": NaN1}', '{"a', '[1, 2', 'nul', '[-]', '[--Infinity]', '', '["a\\"]'])(
    'refuses %s',
    (text) => {
      expect(() => parseJson(text, 'the text')).toThrow('the text is no valid JSON');
    },
  );

  it('refuses what is nested too deeply before parsing it', () => {
    expect(() => parseJson('{"a":'.repeat(500), 'the text')).toThrow('levels deep');
  });
});
