import { afterAll, expect, test } from 'vitest';
import { sameMeaning } from '../scripts/meaning.js';
import { arg, call } from '../src/ir/expr.js';
import { inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { conv } from '../src/ops/conv.js';
import { convTranspose } from '../src/ops/conv-transpose.js';
import { pool } from '../src/ops/pool.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { channelsLast } from './channels-last.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';

const reference = new OnnxruntimeProcess();
afterAll(() => reference.dispose());

const x = f32('x', B, 4, 9, 8);
const w = f32('w', 6, 4, 3, 2);
const window = { kernel: [3, 2], strides: [1, 2], pads: [1, 0, 1, 1], dilations: [1, 1] };
const first = { ...window, groups: 1, layout: 'NCX' } as const;
const sum = call('add', arg(0), arg(1));
const biased = (operand: Value): Value => b(conv, [x, w, operand], { ...first, epilogue: sum });

test('a convolution is put between transposes, its bias as channels are read', () => {
  const bias = f32('bias', 6, 1, 1);
  expect(text(channelsLast.run(of([x, w, bias], biased(bias))))).toMatchInlineSnapshot(`
    "%3 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,9,8,4]
    %4 = reshape(%2, shape=[6]) : f32[6]
    %5 = conv(%3, %1, %4, kernel=[3, 2], strides=[1, 2], pads=[1, 0, 1, 1], dilations=[1, 1], groups=1, layout="NXC", epilogue={add($0, $1)}) : f32[B,9,4,6]
    %6 = transpose(%5, perm=[0, 3, 1, 2]) : f32[B,6,9,4]
    return %6"
  `);
});

test('an operand of the shape of the result turns with it', () => {
  const residual = f32('residual', B, 6, 9, 4);
  expect(text(channelsLast.run(of([x, w, residual], biased(residual))))).toMatchInlineSnapshot(`
    "%3 = transpose(%0, perm=[0, 2, 3, 1]) : f32[B,9,8,4]
    %4 = transpose(%2, perm=[0, 2, 3, 1]) : f32[B,9,4,6]
    %5 = conv(%3, %1, %4, kernel=[3, 2], strides=[1, 2], pads=[1, 0, 1, 1], dilations=[1, 1], groups=1, layout="NXC", epilogue={add($0, $1)}) : f32[B,9,4,6]
    %6 = transpose(%5, perm=[0, 3, 1, 2]) : f32[B,6,9,4]
    return %6"
  `);
});

test('every operator means the same afterwards', async () => {
  const spread = f32('spread', 4, 3, 3, 2);
  const line = f32('line', B, 4, 20);
  const lineWindow = { kernel: [3], strides: [2], pads: [1, 0], dilations: [1] };
  const pooled = { ...window, ceil: true, countPadding: false, p: 2, layout: 'NCX' } as const;
  const results: readonly Value[] = [
    biased(f32('bias', 6, 1, 1)),
    biased(f32('scalar')),
    biased(f32('perColumn', 9, 4)),
    b(convTranspose, [x, spread], { ...first, out: [9, 15] }),
    b(pool, [x], { ...pooled, kind: 'max' }),
    b(pool, [x], { ...pooled, kind: 'average' }),
    b(conv, [line, f32('w1', 6, 2, 3)], { ...lineWindow, groups: 2, layout: 'NCX' }),
  ];
  for (const y of results) {
    const g = of(y.node.inputs, y);
    expect(await sameMeaning(g, channelsLast.run(g), 1, reference)).toEqual([]);
  }
});

test('nothing happens to what is channels last, yields indices or computes in f64', () => {
  const last = f32('last', B, 9, 8, 4);
  const done = b(conv, [last, w], { ...first, layout: 'NXC' });
  const doubles = ['a', 'b'].map((n, i) =>
    inputValue(n, tensor('f64', i === 0 ? [B, 4, 9, 8] : [6, 4, 3, 2])),
  );
  const wide = b(conv, doubles, first);
  const where = b(pool, [x], {
    ...window,
    kind: 'max',
    ceil: false,
    countPadding: false,
    p: 2,
    indices: 'row',
    layout: 'NCX',
  });
  const g = of([last, w, ...doubles, x], done, wide, where);
  expect(channelsLast.run(g)).toBe(g);
});
