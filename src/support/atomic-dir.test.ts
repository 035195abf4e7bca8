import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeDirectory } from './atomic-dir.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ait-dir-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const fill = (text: string) => async (temporary: string) =>
  writeFileSync(join(temporary, 'manifest.json'), text);
const content = (name: string) => readFileSync(join(dir, name, 'manifest.json'), 'utf8');

test('the directory appears when the work is done, parents included, and nothing else', async () => {
  const during = await writeDirectory(join(dir, 'a/b/engine'), {}, async (temporary) => {
    await fill('new')(temporary);
    return readdirSync(join(dir, 'a/b'));
  });
  expect(during).toHaveLength(1);
  expect(during[0]).toMatch(/^\.engine\.partial-/);
  expect(readdirSync(join(dir, 'a/b'))).toEqual(['engine']);
  expect(content('a/b/engine')).toBe('new');
});

test('an error leaves nothing behind, not even the parents', async () => {
  const failing = writeDirectory(join(dir, 'a/b/engine'), {}, async (temporary) => {
    await fill('half')(temporary);
    throw new Error('the work failed');
  });
  await expect(failing).rejects.toThrow('the work failed');
  expect(readdirSync(dir)).toEqual([]);
});

test('what exists is replaced only with force, and only if it is an earlier output', async () => {
  await writeDirectory(join(dir, 'engine'), {}, fill('old'));
  await expect(writeDirectory(join(dir, 'engine'), {}, fill('new'))).rejects.toMatchObject({
    code: 'output-exists',
    hint: expect.stringContaining('--force'),
  });
  expect(content('engine')).toBe('old');
  await writeDirectory(join(dir, 'engine'), { force: true, marker: 'manifest.json' }, fill('new'));
  expect(content('engine')).toBe('new');
  expect(readdirSync(dir)).toEqual(['engine']);

  mkdirSync(join(dir, 'home'));
  writeFileSync(join(dir, 'home/thesis.txt'), '');
  const options = { force: true, marker: 'manifest.json' };
  await expect(writeDirectory(join(dir, 'home'), options, fill('new'))).rejects.toThrow(/no manifest.json/);
  expect(existsSync(join(dir, 'home/thesis.txt'))).toBe(true);
});

test('with force, an error keeps the old directory', async () => {
  await writeDirectory(join(dir, 'engine'), {}, fill('old'));
  const failing = writeDirectory(join(dir, 'engine'), { force: true }, () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  expect([content('engine'), readdirSync(dir)]).toEqual(['old', ['engine']]);
});

test('a link to a directory stays a link', async () => {
  await writeDirectory(join(dir, 'real'), {}, fill('old'));
  symlinkSync('real', join(dir, 'link'));
  await writeDirectory(join(dir, 'link'), { force: true }, fill('new'));
  expect(content('real')).toBe('new');
  expect(readdirSync(dir).sort()).toEqual(['link', 'real']);
});

test('places that cannot be written are named', async () => {
  writeFileSync(join(dir, 'file'), '');
  const code = (target: string) => writeDirectory(target, {}, fill('x')).catch((e: unknown) => e);
  expect(await code(join(dir, 'file'))).toMatchObject({ code: 'output-exists', message: /not a directory/ });
  expect(await code(join(dir, 'file/engine'))).toMatchObject({ code: 'output-unwritable' });
  expect(await code(join(dir, 'x'.repeat(300)))).toMatchObject({ code: 'output-unwritable' });
  if (process.platform === 'linux')
    expect(await code('/proc/engine')).toMatchObject({ code: expect.stringMatching(/output/) });
});

test('a full disk is told as such; a refusal elsewhere passes unchanged', async () => {
  const fail = (code: string, path: string) => () =>
    Promise.reject(Object.assign(new Error(code), { code, path }));
  await expect(writeDirectory(join(dir, 'e'), {}, fail('ENOSPC', '/x'))).rejects.toMatchObject({
    code: 'disk-full',
  });
  await expect(writeDirectory(join(dir, 'e'), {}, fail('EACCES', '/model.onnx'))).rejects.toMatchObject({
    code: 'EACCES',
  });
  expect(readdirSync(dir)).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s takes the temporary directory along', async (signal) => {
  const module = JSON.stringify(new URL('./atomic-dir.ts', import.meta.url).href);
  const script = `import { writeFileSync } from 'node:fs';
    const { writeDirectory } = await import(${module});
    await writeDirectory(${JSON.stringify(join(dir, 'engine'))}, {}, async (t) => {
      writeFileSync(t + '/weights.bin', 'half');
      console.log('ready');
      await new Promise((done) => setTimeout(done, 60_000));
    });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  await once(child.stdout, 'data');
  expect(readdirSync(dir)).toHaveLength(1);
  child.kill(signal);
  const [, endedBy] = await once(child, 'exit');
  expect(endedBy).toBe(signal);
  expect(readdirSync(dir)).toEqual([]);
});

test.skipIf(process.platform === 'win32')(
  'a limit on the size of files is an error like a full disk',
  async () => {
    const module = JSON.stringify(new URL('./atomic-dir.ts', import.meta.url).href);
    const script = `import { writeFileSync } from 'node:fs';
    const { writeDirectory } = await import(${module});
    const fill = async (t) => writeFileSync(t + '/weights.bin', new Uint8Array(4 << 20));
    await writeDirectory(${JSON.stringify(join(dir, 'engine'))}, {}, fill).catch((e) => console.log(e.code));`;
    const limited = ['-c', 'ulimit -f 2048 && exec "$@"', 'sh', process.execPath];
    const child = spawn('sh', [...limited, '--import', 'tsx', '--input-type=module', '-e', script]);
    let said = '';
    child.stdout.on('data', (text) => {
      said += text;
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said).toBe('disk-full\n');
    expect(readdirSync(dir)).toEqual([]);
  },
);
