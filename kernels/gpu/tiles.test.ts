import { expect, test } from 'vitest';
import type { GpuTarget } from '../../codegen/target.js';
import { chooseTile, type Problem, wideShared } from './tiles.js';

const target: GpuTarget = {
  kind: 'gpu',
  api: 'cuda',
  archs: ['sm_90a'],
  host: { kind: 'cpu', arch: 'native', isa: 'x86-64-v3', features: '', lanes: 8 },
};
const chosen = (rows: number, columns: number, depth: number, more: Partial<Problem> = {}): string => {
  const problem = { rows, columns, depth, count: 1, element: 'f16', ...more } as const;
  const { tile, splits } = chooseTile('wide', problem, target, 'f32');
  return `${tile.rows} x ${tile.columns}, ${splits}`;
};

test.each([
  ['a batch of vision transformers, in whole waves', [6304, 768, 768], '192 x 192, 1'],
  ['its widest layer', [6304, 3072, 768], '192 x 192, 1'],
  ['a batch of sentences', [4096, 768, 3072], '128 x 192, 1'],
  ['one image', [197, 2304, 768], '64 x 64, 1'],
  ['one sentence, deep', [128, 768, 3072], '64 x 64, 4'],
] as const)('%s', (_, [rows, columns, depth], tile) => {
  expect(chosen(rows, columns, depth)).toBe(tile);
});

test('tiles leave room for strips where results are stored apart', () => {
  const problem = { rows: 9216, columns: 2049, depth: 512, count: 1, element: 'f16', apart: true } as const;
  const { tile } = chooseTile('wide', problem, target, 'f32');
  expect((wideShared(tile, true) + 1024) * tile.blocks).toBeLessThanOrEqual(228 << 10);
});
