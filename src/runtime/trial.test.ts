import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildTinyEngine } from '../../fixtures/c/tiny-engine.js';
import { trial } from './trial.js';

const root = await mkdtemp(join(tmpdir(), 'ait-trial-'));
afterAll(() => rm(root, { recursive: true }));

const rows = (n: number, dtype = 'f32') =>
  new Map([['x', { dtype, shape: [n, 4], bytes: new Uint8Array(new Float32Array(4 * n).buffer) }]]);

test('an engine that runs has no problem, and feeds it does not take are told', async () => {
  await buildTinyEngine(join(root, 'good'));
  expect(await trial(join(root, 'good'), rows(2), { threads: 1 })).toBeUndefined();
  expect(await trial(join(root, 'good'), rows(2, 'i32'))).toContain('"x"');
});

test('an engine that kills its process is a problem, not the end', async () => {
  await buildTinyEngine(join(root, 'bad'), ['-DTINY_CRASHES']);
  expect(await trial(join(root, 'bad'), rows(2))).toMatch(/ended the process \(SIG(ILL|TRAP|SEGV)\)/);
});

test('an aborted trial rejects with the reason', async () => {
  const controller = new AbortController();
  const running = trial(join(root, 'good'), rows(2), { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});
