import { describe, expect, it } from 'vitest';
import { conditionIn, evaluated } from '../../src/artifact/guards.js';
import { guardOf, placesOf } from './guards.js';

const places = new Map([
  ["L['x']", 'x'],
  ["L['pair'][0]", 'pair_0'],
  ["L['kw']['a b']", 'kw'],
  ["L['n']", 'n'],
]);

/** What Python makes of a guard for some sizes. */
function value(code: string, sizes: Readonly<Record<string, number>>): number | undefined {
  const guard = guardOf(code, places);
  return (
    guard &&
    evaluated(
      conditionIn(guard.condition, code),
      ({ input, axis }) => sizes[axis === undefined ? input : `${input}.${axis}`],
    )
  );
}

describe('guards of a program', () => {
  // The second column is what Python says.
  it.each([
    ["L['x'].size()[0] + 2*L['pair'][0].size()[1] == 11", 1],
    ["(L['x'].size()[0] % 4) == 1", 1],
    ["-L['x'].size()[0] // 2 == -3", 1],
    ["-L['x'].size()[0] % 4 == 3", 1],
    ["not L['x'].size()[0] == 5", 0],
    ["L['x'].size()[0] == 5 and L['n'] != 7 or False", 0],
    ["True and L['n'] == 7", 1],
    ['2**3**2 == 512', 1],
    ["max(1, L['x'].size()[0], 3) <= Min(5, 6)", 1],
    ["L['x'].size()[0] / 2 == 2", 0],
    ['10 - 3 - 2 == 5', 1],
  ])('%s', (code, expected) => {
    expect(value(code, { 'x.0': 5, 'pair_0.1': 3, n: 7 })).toBe(expected);
  });

  it('reads no size that nobody gives', () => {
    expect(value("L['x'].size()[0] > 1", {})).toBeUndefined();
  });

  it.each([
    "L['y'].size()[0] == 1",
    "L['x'].stride()[0] == 1",
    "__import__('os').system('true')",
    '(',
    '1 +',
    "L['x'].size()[0] ==",
    'not',
    '(('.repeat(500),
    `1 + ${'-'.repeat(3000)}1`,
    '1 '.repeat(10_000),
    '',
  ])('does not know %s', (code) => {
    expect(guardOf(code, places)).toBeUndefined();
  });

  it('has names for arguments by position, by name, and within others', () => {
    const leaf = { type: null, context: null, children_spec: [] };
    const of = (type: string, context: string, ...children: readonly object[]) => ({
      type,
      context,
      children_spec: children,
    });
    const spec = of(
      'builtins.tuple',
      'null',
      of(
        'builtins.tuple',
        'null',
        leaf,
        of('builtins.tuple', 'null', leaf, leaf),
        of('builtins.dict', '["k"]', leaf),
      ),
      of('builtins.dict', '["scale"]', leaf),
    );
    const signature = { in_spec: JSON.stringify([1, spec]), forward_arg_names: ['x', 'pair', 'kw', 'scale'] };
    expect(placesOf([{ fqn: '', signature }])).toEqual([
      "L['x']",
      "L['pair'][0]",
      "L['pair'][1]",
      "L['kw']['k']",
      "L['scale']",
    ]);
    expect(placesOf(undefined)).toEqual([]);
    expect(placesOf([{ signature: { in_spec: '[1, 2]' } }])).toEqual([]);
  });
});
