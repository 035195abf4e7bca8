import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { eagerRecord, fxModules, fxPathOf } from '../../fixtures/pt2/material.js';
import { compareTensors } from '../../src/accuracy/metrics.js';
import { toleranceFor } from '../../src/accuracy/tolerance.js';
import { type Graph, inputName } from '../../src/ir/graph.js';
import { showType } from '../../src/ir/type.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { atenConverters } from '../../src/ops/aten/index.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { fileBlob, memoryBlob } from '../../src/support/blob.js';
import { exportOnnx } from '../onnx/export.js';
import { openExport } from '../pt2/archive.js';
import { importProgram } from './import.js';

const onnxruntime = new OnnxruntimeProcess();
afterAll(() => onnxruntime.dispose());

const options = { converters: atenConverters, warn: () => {} };

function imported(name: string, change: (text: string) => string = (text) => text): Graph {
  const path = fxPathOf(name);
  const json = memoryBlob(new TextEncoder().encode(change(readFileSync(path, 'utf8'))));
  const beside = () => fileBlob(path.replace(/json$/, 'safetensors'));
  return importProgram(openExport(json, undefined, beside), options).graph;
}

const scale = { accumulation: 36, depth: 8, quantised: false };

describe('torch.fx JSON', () => {
  it.each(fxModules)('%s computes what eager PyTorch computed', async (name) => {
    const graph = imported(name);
    const record = eagerRecord(name, graph.inputs.length);
    const feeds = new Map(graph.inputs.map((v, i) => [inputName(v), record.inputs[i]!]));
    const results = await onnxruntime.run(encodeModel(exportOnnx(graph)), feeds);
    expect(graph.outputNames).toHaveLength(record.outputs.length);
    const wrong = graph.outputNames.flatMap((output, i) => {
      const expected = record.outputs[i]!;
      const tolerance = toleranceFor(expected, scale);
      const { pass, problem, maxAbs } = compareTensors(results.get(output)!, expected, tolerance);
      return pass ? [] : [`${output}: ${problem ?? maxAbs}`];
    });
    expect(wrong).toEqual([]);
  });

  it('keeps dynamic sizes, names and modules', () => {
    const dynamic = imported('dynamic');
    expect(dynamic.inputs.map((v) => showType(v.type))).toEqual(['f32[s17,s27]', 'f32[s17,s27]']);
    expect(showType(dynamic.outputs[0]!.type)).toBe('f32[s17,floordiv(s27,2)]');
    expect(imported('attention').outputNames).toEqual(['last', 'kv.0', 'kv.1']);
    expect(imported('traced_functions').outputNames.slice(0, 3)).toEqual(['y', 'cat', 'values']);
    const lost = (): Graph =>
      imported('attention', (s) => s.replaceAll('aten.linear.default', 'aten.line.default'));
    expect(lost).toThrow('aten.line.default ("linear" in module "qkv")');
  });
});

describe('torch.fx JSON that is refused', () => {
  it.each([
    [
      'weights that are missing',
      (s: string) => s.replaceAll('"head.', '"tail.').replaceAll('"head"', '"tail"'),
      'reads the tensor "tail.weight"',
    ],
    ['no shapes', (s: string) => s.replaceAll('"shape"', '"form"'), 'does not say the type and shape of "x"'],
    [
      'a quantised value',
      (s: string) => s.replaceAll('"stride"', '"is_quantized": true, "stride"'),
      'is quantised',
    ],
    [
      'a value of nothing',
      (s: string) => s.replaceAll('"name": "x"}', '"name": "z"}'),
      'nothing computes the value "z"',
    ],
    [
      'an unknown operation',
      (s: string) => s.replaceAll('"call_module"', '"call_cloud"'),
      '"call_cloud", which is not known',
    ],
    [
      'an unknown function',
      (s: string) => s.replaceAll('torch.flatten', 'mine.flatten'),
      'mine.flatten ("flatten")',
    ],
    [
      'an unknown module',
      (s: string) => s.replaceAll('torch.nn.modules.linear.Linear', 'mine.Linear2'),
      'torch.nn.Linear2',
    ],
    [
      'other shapes than the weights have',
      (s: string) => s.replace('[2, 6]', '[2, 7]'),
      'came out as f32[2,6]',
    ],
  ])('%s', (_, change, message) => {
    expect(() => imported('traced_network', change)).toThrow(message);
  });

  it('a graph without a safetensors file beside it', () => {
    const text = readFileSync(fxPathOf('traced_network'));
    const alone = (): unknown => openExport(memoryBlob(new Uint8Array(text)), undefined);
    expect(alone).toThrow('which no safetensors file of the same name beside it holds');
  });
});
