import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishedModels } from '../fixtures/onnx-codec/material.js';
import { eagerRecord, exportedModules, fxPathOf, pathOf } from '../fixtures/pt2/material.js';
import { exportOnnx } from '../importers/onnx/export.js';
import { pythonEnv } from '../scripts/python-env.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import { exportModel } from './export-model.js';
import { type Graph, inputName } from './ir/graph.js';
import { load } from './load.js';
import { decodeModel } from './onnx/decode.js';
import { encodeModel } from './onnx/encode.js';
import { OnnxruntimeProcess } from './runtime/reference.js';

const opsets = [17, 18, 19, 20, 21, 22, 23];
const scale = { accumulation: 36, depth: 8, quantised: false };
const onnxruntime = new OnnxruntimeProcess();
let folder = '';
const written: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ait-opsets-'));
});
afterAll(async () => {
  onnxruntime.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** onnxruntime has no kernels for what this one computes in. */
const checkedOnly = new Set(['autocast']);

/** Reductions, and element types, that no operator before this set has. */
const since: Readonly<Record<string, number>> = { bags: 18, scatters: 18, formats: 19 };

/** One of the modules is there to be refused. */
const modules = exportedModules.filter((name) => name !== 'shared_state');

const decompositions = (name: string): string | undefined => {
  const file = pathOf(name).replace(/\.pt2$/, '.decompositions.json');
  return existsSync(file) ? file : undefined;
};

const read = async (name: string): Promise<Graph> =>
  (await load(pathOf(name), { decompositions: decompositions(name) }, () => {})).graph;

async function wrongResults(name: string, graph: Graph, bytes: Uint8Array): Promise<readonly string[]> {
  const record = eagerRecord(name, graph.inputs.length);
  const feeds = new Map(graph.inputs.map((v, i) => [inputName(v), record.inputs[i]!]));
  const results = await onnxruntime.run(bytes, feeds, { optimization: 'all' });
  return graph.outputNames.flatMap((output, i) => {
    const expected = record.outputs[i]!;
    const compared = compareTensors(results.get(output)!, expected, toleranceFor(expected, scale));
    return compared.pass ? [] : [`${output}: ${compared.problem ?? compared.maxAbs}`];
  });
}

describe.each(modules)('%s, written as ONNX', (name) => {
  it.each(opsets)('of opset %i, computes what eager PyTorch computed', async (opset) => {
    const graph = await read(name);
    if (opset < (since[name] ?? 0)) {
      expect(() => exportOnnx(graph, { opset })).toThrow(`cannot be written in opset ${opset}`);
      return;
    }
    const model = exportOnnx(graph, { opset });
    expect(model.opsetImport).toEqual([{ domain: '', version: opset }]);
    const bytes = encodeModel(model);
    const file = join(folder, `${name}-${opset}.onnx`);
    await writeFile(file, bytes);
    written.push(file);
    if (!checkedOnly.has(name)) expect(await wrongResults(name, graph, bytes)).toEqual([]);
  });
});

describe('any model that is read', () => {
  it.each(['attention', 'traced_network'])('torch.fx JSON: %s', async (name) => {
    const { graph } = await load(fxPathOf(name), {}, () => {});
    const bytes = encodeModel(exportOnnx(graph, { opset: 17 }));
    expect(await wrongResults(name, graph, bytes)).toEqual([]);
  });

  it('is written with its weights in a file beside it, and says where it comes from', async () => {
    const [, bytes] = publishedModels().find(([name]) => name === 'embedding_model.onnx')!;
    const given = join(folder, 'given.onnx');
    await writeFile(given, bytes);
    const file = join(folder, 'copy.onnx');
    const made = await exportModel(given, file, { opset: 17, externalData: true });
    expect(made).toMatchObject({ opset: 17, data: { file: `${file}.data` } });
    expect(made.data!.bytes).toBeGreaterThan(10 * made.bytes);
    const copy = decodeModel(await readFile(file));
    expect(copy.irVersion).toBe(8);
    expect(copy.metadataProps).toContainEqual({ key: 'source', value: 'given.onnx' });
    const x = { dtype: 'f32', shape: [1, 76, 32, 1], bytes: noise(76 * 32) } as const;
    const feeds = new Map([[inputName(made.graph.inputs[0]!), x]]);
    const [expected, actual] = [await onnxruntime.run(given, feeds), await onnxruntime.run(file, feeds)];
    for (const [name, result] of expected) {
      const tolerance = toleranceFor(result, { accumulation: 1000, depth: 30, quantised: false });
      expect(compareTensors(actual.get(name)!, result, tolerance).pass, name).toBe(true);
    }
  }, 60_000);

  it('has constants under the names of parameters and nodes under those of modules', async () => {
    const { graph } = await load(pathOf('conv'), {}, () => {});
    const { node, initializer } = exportOnnx(graph, { opset: 18 }).graph;
    const names = initializer.map((t) => t.name);
    expect(names).toEqual(
      expect.arrayContaining(['stem.0.weight', 'depthwise.bias', 'head.weight', 'head.bias']),
    );
    expect(initializer.find((t) => t.name === 'depthwise.bias')!.dims).toEqual([4]);
    expect(node.slice(0, 6).map((n) => `${n.name} ${n.opType}`)).toEqual([
      'stem.0/Conv Conv',
      'stem.1/Mul Mul',
      'stem.1/Add Add',
      'stem.2/Relu Relu',
      'depthwise/Conv Conv',
      'hardswish HardSwish',
    ]);
    expect(node.map((n) => n.opType)).toContain('Gemm');
  });
});

/** Elements that are the same on every run. */
const noise = (count: number): Uint8Array =>
  new Uint8Array(Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i) * 10).buffer);

const check = `
import json, sys, onnx
def problem(path):
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as e:
        return f"{path}: {e}"
print(json.dumps([p for p in map(problem, sys.argv[1:]) if p]))
`;

it('all of them pass the checker of onnx', async () => {
  const left = Object.values(since).flatMap((from) => opsets.filter((o) => o < from));
  expect(written).toHaveLength(modules.length * opsets.length - left.length);
  const { stdout } = await execa(await pythonEnv(), ['-c', check, ...written]);
  expect(JSON.parse(stdout)).toEqual([]);
}, 120_000);
