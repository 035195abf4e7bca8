import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Symbols } from './symbol-names.js';

test('names are valid, and distinct symbols stay distinct', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[ab_2]{1,5}$/),
    fc.constant('x'.repeat(90)),
  );
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 12 }), (all) => {
      const symbols = new Symbols();
      const names = all.map((s) => symbols.define(s).text);
      for (const n of names) expect(n).toMatch(/^d(_[A-Za-z0-9]+)*_?\d*$/);
      expect(new Set(names).size).toBe(all.length);
      expect(all.map((s) => symbols.name(s).text)).toEqual(names);
    }),
    { numRuns: 1000 },
  );
});

test('a name that is free is kept', () => {
  const symbols = new Symbols();
  expect(['seq_len', 'while', '2', 'unk__7', 'unk_7'].map((s) => symbols.define(s).text)).toEqual([
    'd_seq_len',
    'd_while',
    'd_2',
    'd_unk_7',
    'd_unk_7_2',
  ]);
});

test('a symbol must be defined before it is mentioned', () => {
  const symbols = new Symbols();
  expect([symbols.has('n'), symbols.define('n').text, symbols.has('n')]).toEqual([false, 'd_n', true]);
  expect(() => symbols.name('m')).toThrow('the extent m is not known');
});
