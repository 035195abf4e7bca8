import { once } from 'node:events';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, expect, test } from 'vitest';
import { cacheRoot, exclusively, installed } from './cache.js';

const prefix = `test-${process.pid}-`;

afterAll(async () => {
  const own = (await readdir(cacheRoot)).filter((name) => name.startsWith(prefix));
  await Promise.all(own.map((name) => rm(join(cacheRoot, name), { recursive: true, force: true })));
});

test('work of one name never overlaps', async () => {
  const events: string[] = [];
  const work = (label: string) =>
    exclusively(`${prefix}overlap`, async () => {
      events.push(`${label} in`);
      await sleep(30);
      events.push(`${label} out`);
    });
  await Promise.all([work('a'), work('b'), work('c')]);
  const order = events.filter((_, index) => index % 2 === 0).map((event) => event[0]);
  expect(events).toEqual(order.flatMap((label) => [`${label} in`, `${label} out`]));
  expect(order.toSorted()).toEqual(['a', 'b', 'c']);
});

test('work that fails gives the lock back', async () => {
  const failing = exclusively(`${prefix}failing`, () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  await expect(exclusively(`${prefix}failing`, async () => 'next')).resolves.toBe('next');
});

test('a process that is killed while it holds the lock does not keep it', async () => {
  const name = `${prefix}killed`;
  const code = `import('./scripts/cache.ts').then(({ exclusively }) =>
    exclusively(${JSON.stringify(name)}, async () => { console.log('held'); await new Promise(() => {}); }));
    setInterval(() => {}, 1000);`;
  const child = execa('node', ['--import', 'tsx', '--input-type=module', '--eval', code], { reject: false });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await child;
  await expect(exclusively(name, async () => 'taken')).resolves.toBe('taken');
});

test('callers at the same time install once, and later ones not again', async () => {
  const name = `${prefix}once`;
  let fills = 0;
  const fill = async (directory: string) => {
    fills++;
    await writeFile(join(directory, 'content'), 'whole');
  };
  const places = await Promise.all([1, 2, 3].map(() => installed(name, 'v1', fill)));
  await installed(name, 'v1', fill);
  expect(fills).toBe(1);
  expect(new Set(places)).toEqual(new Set([join(cacheRoot, name)]));
});

test('another stamp starts from an empty directory', async () => {
  const name = `${prefix}stamp`;
  await installed(name, 'v1', (directory) => writeFile(join(directory, 'old'), ''));
  const directory = await installed(name, 'v2', (place) => writeFile(join(place, 'new'), ''));
  expect((await readdir(directory)).toSorted()).toEqual(['.stamp', 'new']);
});

test('an installation that fails half-way is started over', async () => {
  const name = `${prefix}half`;
  const failing = installed(name, 'v1', async (directory) => {
    await writeFile(join(directory, 'content'), 'half');
    throw new Error('interrupted');
  });
  await expect(failing).rejects.toThrow('interrupted');
  const directory = await installed(name, 'v1', (place) => writeFile(join(place, 'content'), 'whole'));
  expect(await readFile(join(directory, 'content'), 'utf8')).toBe('whole');
});
