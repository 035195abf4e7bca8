import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { floats, model, node, value } from '../fixtures/onnx-importer/material.js';
import type { Backend } from './backend.js';
import { convert } from './compile.js';
import { dtypeOf, type Node } from './ir/graph.js';
import { encodeModel } from './onnx/encode.js';

/** Nodes whose kernels in 16 bits take their second operand for its transpose, by name. */
const wrong = new Set<string>();

vi.mock('./gpu-backend.js', async (load) => {
  const real = await load<typeof import('./gpu-backend.js')>();
  const gpuBackend = async (...args: Parameters<typeof real.gpuBackend>): Promise<Backend> => {
    const gpu = await real.gpuBackend(...args);
    const sourceOf = (n: Node) =>
      wrong.has(n.origin.name) && dtypeOf(n.inputs[0]!) === 'f16'
        ? gpu.sourceOf({ ...n, attrs: { ...n.attrs, transB: true } })
        : gpu.sourceOf(n);
    return { ...gpu, sourceOf };
  };
  return { ...real, gpuBackend };
});

const dir = mkdtempSync(join(tmpdir(), 'ait-more-bits-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const numbers = (scale: number): number[] => Array.from({ length: 64 }, (_, i) => scale * Math.sin(i));

/** Two products, the first of values of this size, and what brings them back. */
async function converted(name: string, scale: number) {
  const path = join(dir, `${name}.onnx`);
  const m = model({
    input: [value('x', 'f32', 'N', 8)],
    initializer: [
      floats('w', [8, 8], numbers(scale)),
      floats('v', [8, 8], numbers(1).reverse()),
      floats('s', [], [1 / scale]),
    ],
    node: [
      node('MatMul', ['x', 'w'], ['a']),
      node('Softmax', ['a'], ['p']),
      node('MatMul', ['a', 'v'], ['b']),
      node('Mul', ['b', 's'], ['c']),
      node('Add', ['c', 'p'], ['y']),
    ],
    output: [value('y', 'f32', 'N', 8)],
  });
  writeFileSync(path, encodeModel(m));
  return convert(path, { output: join(dir, name), target: 'emulated', precision: 'f16' });
}

const compiled = ({ engine }: Awaited<ReturnType<typeof converted>>): boolean =>
  engine.partition.decisions.every((d) => d.kind === 'engine');

test('a model beyond the range of 16 bits is compiled in fp32, and says so', async () => {
  const c = await converted('large', 1e5);
  expect(c.warnings).toEqual([
    expect.stringMatching(
      /^in fp16 the results miss the tolerance, y by .*; computed in fp32 instead: the whole model$/,
    ),
  ]);
  expect(c.manifest!.target.precision).toBe('fp32');
  expect(c.accuracy!.every((o) => o.comparison.pass)).toBe(true);
  expect(compiled(c)).toBe(true);
});

test('a node that is wrong in 16 bits alone is the only one in fp32', async () => {
  wrong.add('MatMul_b');
  const c = await converted('node', 1);
  wrong.clear();
  expect(c.warnings).toEqual([expect.stringMatching(/computed in fp32 instead: MatMul_b$/)]);
  expect(c.manifest!.target.precision).toBe('fp16');
  expect(c.accuracy!.every((o) => o.comparison.pass)).toBe(true);
  expect(compiled(c)).toBe(true);
});

test('one that 16 bits suffice for stays as it is', async () => {
  const c = await converted('small', 1);
  expect(c.warnings).toEqual([]);
  expect(c.manifest!.target.precision).toBe('fp16');
});
