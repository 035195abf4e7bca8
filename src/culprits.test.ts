import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { cpp } from '../codegen/cpp.js';
import { KernelBuilder } from '../codegen/kernel.js';
import { f32, floats, model, node, run, value } from '../fixtures/onnx-importer/material.js';
import type { Backend } from './backend.js';
import { convert } from './compile.js';
import type { Node } from './ir/graph.js';
import { encodeModel } from './onnx/encode.js';
import { intAttribute } from './onnx/make.js';
import { InferenceSession } from './runtime/session.js';

/** Nodes whose kernels compute something else, by name. */
const wrong = new Set<string>();

// The compiler with wrong kernels: all else is what users run.
vi.mock('./cpu-backend.js', async (load) => {
  const real = await load<typeof import('./cpu-backend.js')>();
  const cpuBackend = async (arch: string): Promise<Backend> => {
    const cpu = await real.cpuBackend(arch);
    const sourceOf = (n: Node) => {
      if (!wrong.has(n.origin.name)) return cpu.sourceOf(n);
      const k = new KernelBuilder(n, cpu.target as ConstructorParameters<typeof KernelBuilder>[1]);
      const size = n.outputs[0]!.type.kind === 'tensor' ? n.outputs[0]!.type.shape : [];
      const count = size.map((d) => k.arg(d));
      return k.finish(cpp`
        int64_t count = 1;
        ${count.map((d) => cpp`count *= ${d};`)}
        for (int64_t i = 0; i < count; i++) ${k.output()}[i] = ${k.input(0)}[i / 2] + 0.5f;
      `);
    };
    return { ...cpu, sourceOf };
  };
  return { ...real, cpuBackend };
});

const dir = mkdtempSync(join(tmpdir(), 'ait-culprits-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i));
const m = model({
  input: [value('x', 'f32', 'N', 8)],
  initializer: [floats('w', [8, 8], numbers(64)), floats('v', [8, 8], numbers(64).reverse())],
  node: [
    node('MatMul', ['x', 'w'], ['a']),
    node('Softmax', ['a'], ['s'], intAttribute('axis', -1)),
    node('CumSum', ['s', 'axis'], ['c']),
    node('MatMul', ['c', 'v'], ['b']),
    node('Softmax', ['b'], ['y'], intAttribute('axis', -1)),
    node('ReduceMax', ['b', 'last'], ['z'], intAttribute('keepdims', 0)),
    node('Softmax', ['x'], ['t'], intAttribute('axis', -1)),
  ],
  output: [value('y', 'f32', 'N', 8), value('z', 'f32', 'N'), value('t', 'f32', 'N', 8)],
});
const last = (name: string, dims: readonly number[]) => ({
  ...floats(name, dims, [0]),
  dataType: 7,
  rawData: new Uint8Array(BigInt64Array.of(1n).buffer),
});
const whole = {
  ...m,
  graph: { ...m.graph, initializer: [...m.graph.initializer, last('axis', []), last('last', [1])] },
};
const path = join(dir, 'model.onnx');
writeFileSync(path, encodeModel(whole));

const converted = async (...names: readonly string[]) => {
  wrong.clear();
  for (const name of names) wrong.add(name);
  const output = join(dir, `engine-${names.join('-') || 'right'}`);
  const conversion = await convert(path, { output });
  const left = conversion.engine.partition.decisions.filter((d) => d.kind === 'fallback');
  return { output, conversion, left: new Map(left.map((d) => [d.node.origin.name, d.reason!])) };
};

describe('a kernel that computes something else', () => {
  test('sends its own node back to onnxruntime, with a report that names it', async () => {
    const { output, conversion, left } = await converted('Softmax_s');
    expect(left.get('Softmax_s')).toMatch(
      /^onnx node "Softmax_s" \(Softmax\) differs from onnxruntime: Softmax_s by \d\.\d\de/,
    );
    // Its neighbours may not pay for a border of their own, but none of them is accused.
    for (const [name, reason] of left) if (name !== 'Softmax_s') expect(reason).toContain('would save about');
    expect(conversion.accuracy!.every((c) => c.comparison.pass)).toBe(true);
    expect(readFileSync(join(output, 'report.json'), 'utf8')).toContain('differs from onnxruntime');
    const session = await InferenceSession.create(output);
    try {
      const x = f32([3, 8], numbers(24));
      const results = await session.run({ x });
      for (const [name, expected] of Object.entries(await run(whole, { x })))
        Array.from(results[name]!.data as Float32Array).forEach((v, i) => {
          expect(v).toBeCloseTo(Number(expected.data[i]), 5);
        });
    } finally {
      await session.dispose();
    }
  });

  test('and another beside it are both found, and nothing behind them is accused', async () => {
    const { conversion, left } = await converted('Softmax_s', 'Softmax_t');
    const accused = [...left].filter(([, reason]) => reason.includes('differs')).map(([name]) => name);
    expect(accused.sort()).toEqual(['Softmax_s', 'Softmax_t']);
    expect(conversion.accuracy!.every((c) => c.comparison.pass)).toBe(true);
  });
});

test('right kernels are not accused', async () => {
  const { left } = await converted();
  expect([...left]).toEqual([]);
});
