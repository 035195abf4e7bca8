import { expect, test } from 'vitest';
import type { Value } from '../src/ir/graph.js';
import { attention } from '../src/ops/attention.js';
import { reshape } from '../src/ops/reshape.js';
import { transpose } from '../src/ops/transpose.js';
import { attentionHeads } from './attention-heads.js';
import { b, f32, of, text } from './graphs.fixtures.js';
import { settle } from './steps.js';

const attrs = {
  ...{ scale: 1, softcap: 0, mask: false, lengths: false },
  rowsFirst: [false, false, false, false],
} as const;
/** [L, H, D] as PyTorch brings it to [1, H, L, D]. */
const heads = (name: string): Value =>
  b(reshape, [b(transpose, [f32(name, 7, 2, 4)], { perm: [1, 0, 2] })], { shape: [1, 2, 7, 4] });
const attended = b(attention, [heads('q'), heads('k'), heads('v')], attrs);

test('a sample without its batch axis needs no transposes either', () => {
  const rows = b(transpose, [attended], { perm: [2, 0, 1, 3] });
  expect(text(settle(of([], rows), attentionHeads))).toMatchInlineSnapshot(`
    "%1 = reshape(%0, shape=[1, 7, 2, 4]) : f32[1,7,2,4]
    %3 = reshape(%2, shape=[1, 7, 2, 4]) : f32[1,7,2,4]
    %5 = reshape(%4, shape=[1, 7, 2, 4]) : f32[1,7,2,4]
    %6 = attention(%1, %3, %5, scale=1, softcap=0, mask=false, lengths=false, rowsFirst=[true, true, true, true]) : f32[1,7,2,4]
    %7 = reshape(%6, shape=[7, 1, 2, 4]) : f32[7,1,2,4]
    return %7"
  `);
});

test('samples that lie between rows and heads stay as they are', () => {
  const pair = b(attention, [f32('q', 2, 3, 7, 4), f32('k', 2, 3, 7, 4), f32('v', 2, 3, 7, 4)], attrs);
  const g = of([], b(transpose, [pair], { perm: [2, 0, 1, 3] }));
  expect(settle(g, attentionHeads)).toBe(g);
});
