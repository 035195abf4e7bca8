import { afterEach, expect, test, vi } from 'vitest';
import { clean, headed, short, styleFor, table, widthOf, wrap } from './terminal.js';

afterEach(() => vi.unstubAllEnvs());
const plain = styleFor({ isTTY: false });

test('columns line up whatever the cells hold', () => {
  vi.stubEnv('NO_COLOR', '');
  const colour = styleFor({ isTTY: true });
  const lines = table('lrl', [
    ['a', colour.good('10'), 'end'],
    ['入力', '9', 'end'],
    ['e\u0301e', '1000', 'end'],
  ]);
  expect(lines.map((l) => widthOf(l.slice(0, l.indexOf('end'))))).toEqual([14, 14, 14]);
  expect(table('lr', [['a', 'b'], ['c']])).toEqual(['  a  b', '  c']);
  expect(headed(plain, 'lr', ['name', ''], [['long name', '1']])).toEqual(['  name', '  long name  1']);
});

test('colours only on a terminal, and not against NO_COLOR', () => {
  vi.stubEnv('NO_COLOR', '');
  expect(styleFor({ isTTY: true }).bad('x')).toBe('\x1b[31mx\x1b[39m');
  expect(plain.bad('x')).toBe('x');
  vi.stubEnv('NO_COLOR', '1');
  expect(styleFor({ isTTY: true }).bad('x')).toBe('x');
});

test('names cannot steer the terminal', () => {
  expect(clean('a\x1b[2J\n\u202eb')).toBe('a?[2J??b');
  expect(short('x'.repeat(100), 9)).toBe('xxxx…xxxx');
  expect(short('exactly 9', 9)).toBe('exactly 9');
});

test('sentences break at words', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('unbreakable', 3)).toEqual(['unbreakable']);
});
