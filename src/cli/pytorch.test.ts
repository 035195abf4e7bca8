import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fxPathOf, pathOf } from '../../fixtures/pt2/material.js';
import { ait } from './command-line.fixtures.js';

const before = process.cwd();
let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'ait-pytorch-'));
  process.chdir(home);
});
afterAll(() => {
  process.chdir(before);
  rmSync(home, { recursive: true, force: true });
});

describe('PyTorch programs on the command line', () => {
  test('inspect tells the file, the sizes it is made for, and where nothing has operator sets', async () => {
    const { code, out } = await ait('inspect', pathOf('guards'));
    expect(code).toBe(0);
    expect(out).toMatch(/format\s+PT2 archive, schema 8\.20/);
    expect(out).toMatch(/made for\s+y\.shape\[0\] == \(2 \* x\.shape\[0\]\)\n\s+x\.shape\[0\] % 4 == 0\n/);
    expect(out).not.toMatch(/operator sets|function of the model/);
  });

  test('a dry run names the modules of what stays behind, and of each segment', async () => {
    const { code, out } = await ait(
      pathOf('attention'),
      '--dry-run',
      '-v',
      '--fallback-ops',
      'aten.linear.default',
    );
    expect(code).toBe(0);
    expect(out).toContain('aten.linear.default in qkv … out: --fallback-ops names aten.linear.default');
    expect(out).toContain('linear (qkv), linear_1 (out)');
    expect(out).toMatch(/segment_0 .*embed … norm\n/);
  });

  test('a node that stays behind is told with its module when none may', async () => {
    const options = ['--dry-run', '--require-full-compilation', '--fallback-ops', 'aten.linear.default'];
    const { code, err } = await ait(pathOf('attention'), ...options);
    expect(code).toBe(2);
    expect(err).toContain('linear (aten.linear.default) in qkv: --fallback-ops');
  });

  test('operators that are not known are listed at once, and a file of decompositions helps', async () => {
    const refused = await ait(pathOf('custom'), '--dry-run');
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('mylib.scaled_add.default ("scaled_add" in module "gate")');
    expect(refused.err).toContain('--decompositions');
    const file = pathOf('custom').replace(/pt2$/, 'decompositions.json');
    const { code, out } = await ait(pathOf('custom'), '--dry-run', '--decompositions', file);
    expect(code).toBe(0);
    expect(out).toMatch(/on onnxruntime\s+0/);
  });

  test('state becomes outputs on demand', async () => {
    const plain = await ait('inspect', pathOf('cache'), '--json');
    const { out } = await ait('inspect', pathOf('cache'), '--json', '--state-outputs');
    const names = (text: string) =>
      (JSON.parse(text) as { outputs: { name: string }[] }).outputs.map((o) => o.name);
    expect(names(plain.out)).toEqual(['output']);
    expect(names(out)).toEqual(['output', 'state.keys', 'state.count']);
  });

  test('a torch.fx graph is read with the weights beside it', async () => {
    const { code, out } = await ait('inspect', fxPathOf('traced_network'));
    expect(code).toBe(0);
    expect(out).toMatch(/format\s+torch\.fx JSON/);
  });

  test.each([
    [
      'a pickle',
      Uint8Array.of(0x80, 2, 0x7d, 0x71, 0, 0x2e, ...new Uint8Array(30)),
      'a Python pickle, which only Python can read',
    ],
    [
      'a program of ExecuTorch',
      new TextEncoder().encode('\0\0\0\0ET12 and more bytes to come'),
      'an ExecuTorch program',
    ],
  ])('%s is refused with the lines that make a file which is taken', async (_, bytes, what) => {
    writeFileSync('model.pt2', bytes);
    const { code, err } = await ait('model.pt2', '-o', 'engine');
    expect(code).toBe(2);
    expect(err).toContain(what);
    expect(err).toContain('program = torch.export.export(module.eval(), (example_input,))');
    expect(err).toContain('torch.export.save(program, "model.pt2")');
  });

  test('a program that an archive does not hold', async () => {
    const { code, err } = await ait('inspect', pathOf('mlp'), '--program', 'decoder');
    expect(code).toBe(2);
    expect(err).toMatch(/no program "decoder"\n\s+hint: it has model/);
  });
});
