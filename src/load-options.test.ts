import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { eagerRecord, pathOf } from '../fixtures/pt2/material.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import { convert } from './compile.js';
import { diff } from './diff.js';
import { inputName } from './ir/graph.js';
import { literalOf } from './ir/literal.js';
import { showType } from './ir/type.js';
import { loadExport, recordedRun, referenceModel } from './load-export.js';
import { run } from './run.js';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { InferenceSession } from './runtime/session.js';
import { withTemporaryDirectory } from './support/temporary.js';
import type { TensorData } from './support/tensor-data.js';

const onnxruntime = new OnnxruntimeProcess();
afterAll(() => onnxruntime.dispose());

const floats = (shape: readonly number[]): TensorData => ({
  dtype: 'f32',
  shape,
  bytes: literalOf(
    'f32',
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
  ).bytes(),
});

const pathIn = (name: string): string => fileURLToPath(new URL(`../fixtures/pt2/${name}`, import.meta.url));

describe('state of a PyTorch program', () => {
  // Once as the module wrote it, in place, and once as the decomposed program says it.
  test.each(['cache', 'cache.core'])('%s: what it changes becomes results on demand', async (name) => {
    const plain = await loadExport(pathOf(name), {}, () => {});
    expect(plain.graph.outputNames).toEqual(['output']);
    const options = { stateOutputs: true };
    const { graph } = await loadExport(pathOf(name), options, () => {});
    expect(graph.outputNames).toEqual(['output', 'state.keys', 'state.count']);
    const { inputs, outputs } = eagerRecord(name, 1);
    const results = await onnxruntime.run(
      await referenceModel(pathOf(name), options),
      new Map([['x', inputs[0]!]]),
    );
    const tolerance = toleranceFor(outputs[0]!, { accumulation: 1, depth: 1, quantised: false });
    expect(compareTensors(results.get('output')!, outputs[0]!, tolerance).pass).toBe(true);
    expect(Buffer.from(results.get('state.keys')!.bytes).subarray(12, 36)).toEqual(
      Buffer.from(inputs[0]!.bytes),
    );
    expect(results.get('state.count')!.bytes).toEqual(new Uint8Array(BigInt64Array.of(1n).buffer));
  });
});

test('an input that is overwritten is state as well', async () => {
  const { graph } = await loadExport(pathOf('mutated_input'), { stateOutputs: true }, () => {});
  expect(graph.outputNames).toEqual(['output_0', 'output_1', 'state.last', 'state.x']);
});

test('diff wants the options that an engine was made with', async () => {
  await withTemporaryDirectory('ait-state', async (scratch) => {
    const output = join(scratch, 'engine');
    const options = { stateOutputs: true };
    await convert(pathOf('cache'), { output, ...options });
    expect((await diff(output, { model: pathOf('cache'), ...options })).outputs).toHaveLength(3);
    const failed = diff(output, { model: pathOf('cache') });
    await expect(failed).rejects.toThrow('has no output "state.keys", which the engine has');
  });
}, 60_000);

describe('operators of somebody’s own', () => {
  test('are listed at once, with their modules and the ways out', async () => {
    const failed = await loadExport(pathOf('custom'), {}, () => {}).catch((e: Error) => e);
    expect(failed).toMatchObject({
      code: 'unsupported-operators',
      message: [
        '3 operators of the program are not known here:',
        '    mylib.moments.default ("moments")',
        '    mylib.scaled_add.default ("scaled_add" in module "gate")',
        '    mylib.scaled_add.default ("scaled_add_1")',
      ].join('\n'),
      hint: expect.stringMatching(/run_decompositions\(\)[\s\S]*--decompositions[\s\S]*split the module/),
    });
  });

  test.each(['custom.decompositions.json', 'custom.decompositions.mjs'])(
    'are taken apart by %s',
    async (file) => {
      const options = { decompositions: pathIn(file) };
      const { graph } = await loadExport(pathOf('custom'), options, () => {});
      const { inputs, outputs } = eagerRecord('custom', 1);
      const model = await referenceModel(pathOf('custom'), options);
      const results = await onnxruntime.run(model, new Map([['x', inputs[0]!]]));
      graph.outputNames.forEach((name, i) => {
        const tolerance = toleranceFor(outputs[i]!, { accumulation: 3, depth: 2, quantised: false });
        expect(compareTensors(results.get(name)!, outputs[i]!, tolerance)).toMatchObject({ pass: true });
      });
    },
  );

  test.each([
    ['"$b"', '"$c"', 'speaks of "$c"'],
    ['"steps"', '"stages"', 'lacks its steps'],
    ['"result": "sum"', '"result": 3', 'has a step without'],
    ['["sum"]', '["total"]', 'no step that yields "total"'],
    ['"like": "$b"', '"dtype": "torch.float33"', 'has the type "torch.float33"'],
    ['"like": "$b"', '"shape": ["$b.7"]', 'has the size "$b.7"'],
    ['"aten.add.Tensor"', '"mylib.scaled_add"', 'mylib.scaled_add ("scaled_add.1" in module "gate")'],
    ['"like": "$b"', '"dtype": "torch.int64"', 'came out as'],
    ['{', '[', 'no valid JSON'],
  ])('a file in which %s is %s', async (from, to, message) => {
    const text = readFileSync(pathIn('custom.decompositions.json'), 'utf8').replace(from, to);
    await withTemporaryDirectory('ait-rules', async (scratch) => {
      const decompositions = join(scratch, 'rules.json');
      writeFileSync(decompositions, text);
      await expect(loadExport(pathOf('custom'), { decompositions }, () => {})).rejects.toThrow(message);
    });
  });

  test('a module that cannot be loaded', async () => {
    const options = { decompositions: 'never/there.mjs' };
    await expect(loadExport(pathOf('custom'), options, () => {})).rejects.toThrow(
      'never/there.mjs cannot be loaded',
    );
  });
});

describe('sizes that are asked for', () => {
  const shapes = async (name: string, options: Parameters<typeof loadExport>[1]) => {
    const warnings: string[] = [];
    const { graph } = await loadExport(pathOf(name), options, (w) => warnings.push(w));
    return { warnings, inputs: graph.inputs.map((v) => showType(v.type)) };
  };
  const between = (min: number, max: number) => ({ min, max });

  test('fix or name the open sizes of a program, also those that are multiples', async () => {
    const named = new Map([['x', ['batch', 'length']]]);
    const dims = new Map([['length', between(8, 8)]]);
    expect((await shapes('dynamic', { shapes: named, dims })).inputs).toEqual([
      'f32[batch,8]',
      'f32[batch,8]',
    ]);
    expect((await shapes('guards', { dims: new Map([['x_0', between(16, 16)]]) })).inputs).toEqual([
      'f32[16]',
      'f32[32]',
    ]);
    expect((await shapes('dynamic', { dims: new Map([['nope', between(1, 1)]]) })).warnings).toEqual([
      'no input of the model has a dimension named "nope"',
    ]);
  });
});

describe('what an archive records', () => {
  test('of PyTorch’s own run is what diff compares with', async () => {
    const found = await diff(pathOf('recorded'));
    expect(found).toMatchObject({ pass: true, recordedBy: 'PyTorch', unreferenced: undefined });
    expect(found.recorded.map((r) => r.output)).toEqual(['rows', 'pair.0']);
    expect(found.outputs.map((r) => r.output)).toEqual(['rows', 'pair.0', 'pair.1']);
  }, 60_000);

  test('are all inputs, with the values they had', async () => {
    const { inputs } = (await recordedRun(pathOf('recorded'), {}))!;
    expect([...inputs.keys()]).toEqual(['ids', 'pair_0', 'pair_1']);
    expect(new BigInt64Array(Uint8Array.from(inputs.get('ids')!.bytes).buffer)).toEqual(
      BigInt64Array.of(8n, 0n, 3n, 5n),
    );
    const older = (await recordedRun(pathOf('mlp_torch2.7'), {}))!;
    expect([...older.inputs.keys()]).toEqual(['x']);
    expect(older.outputs.size).toBe(0);
    // Samples of other sizes than the program is now read for are none.
    expect(
      await recordedRun(pathOf('mlp'), { dims: new Map([['s77', { min: 9, max: 9 }]]) }),
    ).toBeUndefined();
  });

  test('wrong results are told from those of onnxruntime', async () => {
    await withTemporaryDirectory('ait-recorded', async (scratch) => {
      const bytes = readFileSync(pathOf('recorded'));
      const text = /"data": "([^"]{8})/.exec(bytes.toString('latin1'))!;
      bytes.write('AAAAAACA', bytes.indexOf(text[1]!), 'latin1');
      const path = join(scratch, 'wrong.pt2');
      writeFileSync(path, bytes);
      const found = await diff(path);
      expect(found.pass).toBe(false);
      expect(found.outputs.every((o) => o.comparison.pass)).toBe(true);
      expect(found.recorded.map((o) => o.comparison.pass)).toEqual([false, true]);
    });
  }, 60_000);
});

describe('what sizes must fulfil together', () => {
  test('is read from the program, but for what the shapes say already', async () => {
    const of = async (name: string) =>
      (await loadExport(pathOf(name), {}, () => {})).guards!.map((g) => g.text);
    expect(await of('decisions')).toEqual([
      'x.shape[0] % 4 == 0',
      '4 * (x.shape[0] // 4) >= 2',
      'x.shape[0] // 4 != 1',
      'pair_b.shape[0] > 5',
      'pair_b.shape[0] != 9',
      '2 * pair_b.shape[0] >= 3 + pair_a.shape[0]',
    ]);
    expect(await of('guards')).toEqual(['y.shape[0] == (2 * x.shape[0])', 'x.shape[0] % 4 == 0']);
    expect(await of('dynamic')).toEqual([]);
  });

  test('is checked when the engine runs, and random inputs fulfil it', async () => {
    await withTemporaryDirectory('ait-guards', async (scratch) => {
      const output = join(scratch, 'engine');
      const { accuracy, graph } = await convert(pathOf('decisions'), { output });
      expect(accuracy?.map((a) => a.comparison.pass)).toEqual([true, true, true]);
      expect((await run(output)).outputs.size).toBe(3);
      expect((await diff(output, { model: pathOf('decisions') })).pass).toBe(true);
      const otherwise = diff(output, { model: pathOf('decisions'), stateOutputs: true });
      expect((await otherwise).pass).toBe(true);
      expect(graph.inputs.map(inputName)).toEqual(['x', 'pair_a', 'pair_b']);
      const session = await InferenceSession.create(output);
      const feed = (x: number, a: number, b: number) =>
        session.runData(
          new Map([
            ['x', floats([x])],
            ['pair_a', floats([a])],
            ['pair_b', floats([b])],
          ]),
        );
      try {
        expect((await feed(12, 3, 6)).size).toBe(3);
        await expect(feed(10, 3, 6)).rejects.toThrow('inputs with x.shape[0] % 4 == 0, and "x" is [10]');
        await expect(feed(8, 3, 5)).rejects.toThrow('s8 at least 6');
        await expect(feed(8, 3, 9)).rejects.toThrow('pair_b.shape[0] != 9');
        await expect(feed(8, 20, 6)).rejects.toThrow('"pair_b" is [6], "pair_a" is [20]');
      } finally {
        await session.dispose();
      }
    });
  }, 120_000);
});
