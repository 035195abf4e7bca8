import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { floats, model, node, value } from '../fixtures/onnx-importer/material.js';
import { readManifest } from './artifact/read-manifest.js';
import { convert } from './compile.js';
import { diff } from './diff.js';
import { encodeModel } from './onnx/encode.js';
import { intsAttribute } from './onnx/make.js';
import type { ConvertOptions } from './options.js';
import { reportOf } from './report-of.js';

const dir = mkdtempSync(join(tmpdir(), 'ait-tf32-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const spread = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i * i + 1));

const path = join(dir, 'model.onnx');
writeFileSync(
  path,
  encodeModel(
    model({
      input: [value('x', 'f32', 1, 36, 9, 8), value('a', 'f32', 24, 130)],
      initializer: [
        floats('w', [40, 36, 3, 3], spread(40 * 36 * 9)),
        floats('b', [130, 70], spread(130 * 70)),
      ],
      node: [
        node('Conv', ['x', 'w'], ['y'], intsAttribute('pads', [1, 1, 1, 1])),
        node('MatMul', ['a', 'b'], ['z']),
      ],
      output: [value('y', 'f32', 1, 40, 9, 8), value('z', 'f32', 24, 70)],
    }),
  ),
);

async function converted(name: string, options: ConvertOptions) {
  const output = join(dir, name);
  const c = await convert(path, { output, target: 'emulated', precision: 'f32', ...options });
  expect(c.warnings).toEqual([]);
  expect(c.engine.partition.decisions.filter((d) => d.kind === 'fallback')).toEqual([]);
  const manifest = await readManifest(output);
  return { conversion: c, output, manifest, accuracy: manifest.accuracy };
}

test('products round their operands where that is asked for, and are compared accordingly', async () => {
  const exact = await converted('exact', {});
  const rounded = await converted('rounded', { tf32: true });
  exact.accuracy.forEach(({ tolerance, pass }, i) => {
    const own = rounded.accuracy[i]!;
    expect([pass, own.pass]).toEqual([true, true]);
    // Ten bits of mantissa in place of 23: far outside what f32 explains, and not far inside the tolerance.
    expect(own.maxAbsolute).toBeGreaterThan(10 * tolerance.atol);
    expect(own.maxAbsolute).toBeGreaterThan(own.tolerance.atol / 50);
  });
  expect(rounded.manifest.target).toMatchObject({ precision: 'fp32', tf32: true });
  expect(rounded.manifest.scale?.storage).toBe('tf32');
  expect(exact.manifest.target.tf32).toBeUndefined();
  expect(reportOf(rounded.conversion).target.tf32).toBe(true);
  const report = readFileSync(join(rounded.output, 'report.html'), 'utf8');
  expect(report).toContain('an emulated GPU in fp32, products in TF32');
  expect(await diff(rounded.output, { model: path })).toMatchObject({ pass: true });
}, 120_000);

test('named nodes stay exact', async () => {
  const { accuracy } = await converted('named', { tf32: true, f32Nodes: ['MatMul_z'] });
  expect(accuracy.map((a) => a.maxAbsolute < a.tolerance.atol / 500)).toEqual([false, true]);
}, 120_000);

test.each([
  ['the CPU', { target: 'cpu' }],
  ['narrow storage', { precision: 'f16' }],
] as const)('with %s it is in vain, which is said', async (_, options) => {
  const { warnings } = await convert(path, { dryRun: true, target: 'emulated', tf32: true, ...options });
  expect(warnings).toEqual(['--tf32 does nothing here: it is for --target cuda with --precision fp32']);
});
