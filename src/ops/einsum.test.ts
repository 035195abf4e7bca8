import { describe, expect, test } from 'vitest';
import { show, symbol } from '../ir/dim.js';
import { extentsOf, parse } from './einsum.js';

const spelled = (labels: readonly number[]): string =>
  labels.map((l) => (l < 0 ? `e${-l}` : String.fromCharCode(l))).join('');

describe('an equation', () => {
  test.each([
    ['bij, bjk -> bik', [3, 3], ['bij', 'bjk'], 'bik'],
    ['ij,jk', [2, 2], ['ij', 'jk'], 'ik'],
    ['ba', [2], ['ba'], 'ab'],
    ['ii', [2], ['ii'], ''],
    ['...ij->...ji', [4], ['e2e1ij'], 'e2e1ji'],
    ['...i,i...', [3, 2], ['e2e1i', 'ie1'], 'e2e1'],
    ['->', [0], [''], ''],
  ] as const)('%s', (equation, ranks, inputs, output) => {
    const parsed = parse(equation, ranks);
    expect(parsed.inputs.map(spelled)).toEqual(inputs);
    expect(spelled(parsed.output)).toBe(output);
  });

  test('for another number of operands is refused', () => {
    expect(() => parse('ij,jk->ik', [2])).toThrow(/2 operands/);
  });
});

describe('extents', () => {
  test('of 1 give way, and a number settles a symbol', () => {
    const { inputs } = parse('ij,jk,ik', [2, 2, 2]);
    const extents = extentsOf(inputs, [
      [1, symbol('n')],
      [4, 1],
      [2, 3],
    ]);
    expect([...extents].map(([l, d]) => `${spelled([l])}${show(d)}`).join()).toBe('i2,j4,k3');
  });

  test('that contradict each other are refused', () => {
    const { inputs } = parse('ij,ij', [2, 2]);
    expect(() =>
      extentsOf(inputs, [
        [2, 3],
        [2, 4],
      ]),
    ).toThrow(/3 and 4/);
  });
});
