import { afterEach, expect, test, vi } from 'vitest';
import { formatSeconds, Progress } from './progress.js';

afterEach(() => vi.unstubAllEnvs());

function recorder(isTTY: boolean) {
  const written: string[] = [];
  let clock = 0;
  const stream = { isTTY, columns: 50, write: (text: string) => written.push(text) };
  return {
    written,
    pass: (ms: number) => (clock += ms),
    progress: new Progress({ stream, now: () => clock }),
  };
}

test('without a terminal: one line per stage, and one now and then in between', async () => {
  const { written, pass, progress } = recorder(false);
  await progress.stage('build', 4, async (stage) => {
    for (let i = 0; i < 4; i++) {
      pass(3000);
      stage.tick(`kernel ${i}`);
    }
    stage.conclude('3 from cache');
  });
  expect(written).toEqual([
    '… build 2/4 (50 %, 6.0 s left)  kernel 1\n',
    '… build 4/4 (100 %)  kernel 3\n',
    '✓ build 4  12.0 s  3 from cache\n',
  ]);
  expect(progress.times).toEqual([{ name: 'build', seconds: 12 }]);
});

test('on a terminal: a live line that fits, whatever the names hold', async () => {
  vi.stubEnv('NO_COLOR', '1');
  const { written, pass, progress } = recorder(true);
  await progress.stage('import', 2, async (stage) => {
    pass(2000);
    stage.tick(`evil\x1b[2J\n${'x'.repeat(99)}`);
    progress.log('a warning');
  });
  expect(written[0]).toBe('\r\x1b[K… import 0/2 (0 %)');
  expect(written[1]?.replaceAll('\x1b', 'ESC')).toMatch(
    /^\rESC\[K… import 1\/2 \(50 %, 2\.0 s left\) {2}evil\?\[2J\?x+…$/,
  );
  expect(written[1]).toHaveLength(4 + 49);
  expect(written[2]).toBe('\r\x1b[Ka warning\n');
  expect(written.at(-1)).toBe('\r\x1b[K✓ import 1  2.0 s\n');
});

test('a stage that fails says so and lets the error pass', async () => {
  const { written, progress } = recorder(false);
  await expect(progress.stage('compile', undefined, () => Promise.reject(new Error('no')))).rejects.toThrow(
    'no',
  );
  expect(written).toEqual(['✗ compile  0 ms\n']);
});

test('times read well at every size', () => {
  expect([0.0124, 0.0996, 3.21, 59.94, 59.96, 125].map(formatSeconds)).toEqual([
    '12 ms',
    '0.1 s',
    '3.2 s',
    '59.9 s',
    '1 min 00 s',
    '2 min 05 s',
  ]);
});
