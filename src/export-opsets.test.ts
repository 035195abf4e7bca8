import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eagerRecord, exportedModules, pathOf } from '../fixtures/pt2/material.js';
import { exportOnnx } from '../importers/onnx/export.js';
import { pythonEnv } from '../scripts/python-env.js';
import { compareTensors } from './accuracy/metrics.js';
import { toleranceFor } from './accuracy/tolerance.js';
import { type Graph, inputName } from './ir/graph.js';
import { load } from './load.js';
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

describe.each(exportedModules)('%s, written as ONNX', (name) => {
  it.each(opsets)('of opset %i, computes what eager PyTorch computed', async (opset) => {
    const { graph } = await load(pathOf(name), {}, () => {});
    const model = exportOnnx(graph, { opset });
    expect(model.opsetImport).toEqual([{ domain: '', version: opset }]);
    const bytes = encodeModel(model);
    const file = join(folder, `${name}-${opset}.onnx`);
    await writeFile(file, bytes);
    written.push(file);
    if (!checkedOnly.has(name)) expect(await wrongResults(name, graph, bytes)).toEqual([]);
  });
});

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
  expect(written).toHaveLength(exportedModules.length * opsets.length);
  const { stdout } = await execa(await pythonEnv(), ['-c', check, ...written]);
  expect(JSON.parse(stdout)).toEqual([]);
}, 120_000);
