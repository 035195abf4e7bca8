import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { packageRoot } from '../package-root.js';
import { CompileError } from '../support/diagnostic.js';
import { writeCrashFile } from './crash.js';
import { classified, exitCodeOf, exitCodes } from './exit-codes.js';

test('who is at fault', () => {
  const code = (c: string) => exitCodeOf(new CompileError(c, ''));
  expect(code('accuracy')).toBe(1);
  expect(code('bad-model')).toBe(2);
  expect(code('no-compiler')).toBe(3);
  for (const c of ['disk-full', 'no-device', 'no-nvrtc', 'no-hipcc']) expect(code(c)).toBe(3);
  expect(code('broken-graph')).toBe(4);
  expect(code('cancelled')).toBe(130);
  expect(exitCodeOf(new TypeError('x is undefined'))).toBe(4);
  expect(exitCodeOf(Object.assign(new Error('no space'), { code: 'ENOSPC' }))).toBe(3);
  expect(exitCodeOf('thrown text')).toBe(4);
  for (const c of ['accuracy', 'bad-model', 'no-compiler', 'broken-graph', 'cancelled'])
    expect(exitCodes).toHaveProperty(String(code(c)));
});

test('every code that is told apart exists in the sources', () => {
  const root = fileURLToPath(packageRoot);
  const texts = ['src', 'importers', 'lowering', 'codegen'].flatMap((layer) =>
    readdirSync(`${root}${layer}`, { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts') && !f.endsWith('exit-codes.ts'))
      .map((f) => readFileSync(`${root}${layer}/${f}`, 'utf8')),
  );
  for (const code of classified)
    expect(
      texts.some((t) => t.includes(`'${code}'`)),
      code,
    ).toBe(true);
});

test('a crash file holds what we need, and not the model', async () => {
  const model = fileURLToPath(import.meta.url);
  const file = await writeCrashFile(new TypeError('no such thing'), ['m.onnx', '-o', 'e'], model);
  const text = readFileSync(file!, 'utf8');
  rmSync(file!);
  expect(JSON.parse(text)).toMatchObject({
    message: 'no such thing',
    stack: expect.arrayContaining(['TypeError: no such thing']),
    versions: { node: process.versions.node },
    options: ['m.onnx', '-o', 'e'],
    model: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect(text).not.toContain('a crash file holds what we need');
});
