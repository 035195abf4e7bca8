import { afterAll, describe, expect, it } from 'vitest';
import { eagerRecord, exportedModules, pathOf } from '../../fixtures/pt2/material.js';
import { compareTensors } from '../../src/accuracy/metrics.js';
import { toleranceFor } from '../../src/accuracy/tolerance.js';
import { type Graph, inputName } from '../../src/ir/graph.js';
import { showType } from '../../src/ir/type.js';
import { encodeModel } from '../../src/onnx/encode.js';
import { atenConverters } from '../../src/ops/aten/index.js';
import { OnnxruntimeProcess } from '../../src/runtime/reference.js';
import { fileBlob } from '../../src/support/blob.js';
import { exportOnnx } from '../onnx/export.js';
import { openExport } from '../pt2/archive.js';
import { importProgram } from './import.js';

const onnxruntime = new OnnxruntimeProcess();
afterAll(() => onnxruntime.dispose());

const imported = (name: string, converters = atenConverters): Graph =>
  importProgram(openExport(fileBlob(pathOf(name)), undefined), { converters, warn: () => {} }).graph;

// The longest sum in these modules has 36 terms, and no more than eight follow one another.
const scale = { accumulation: 36, depth: 8, quantised: false };

/** One without a kernel in onnxruntime, one with operators of its own: src/load-*.test.ts have them; one that is refused. */
const apart = ['autocast', 'custom', 'shared_state'];

describe('exported modules', () => {
  it.each(exportedModules.filter((name) => !apart.includes(name)))(
    '%s computes what eager PyTorch computed',
    async (name) => {
      const graph = imported(name);
      const record = eagerRecord(name, graph.inputs.length);
      const feeds = new Map(graph.inputs.map((v, i) => [inputName(v), record.inputs[i]!]));
      const results = await onnxruntime.run(encodeModel(exportOnnx(graph)), feeds);
      expect(graph.outputNames).toHaveLength(record.outputs.length);
      const wrong = graph.outputNames.flatMap((output, i) => {
        const expected = record.outputs[i]!;
        const { pass, problem, maxAbs } = compareTensors(
          results.get(output)!,
          expected,
          toleranceFor(expected, scale),
        );
        return pass ? [] : [`${output} (result ${i}): ${problem ?? maxAbs}`];
      });
      expect(wrong).toEqual([]);
    },
  );
});

const inputs = (g: Graph): readonly string[] => g.inputs.map((v) => `${inputName(v)} ${showType(v.type)}`);
const outputs = (g: Graph): readonly string[] =>
  g.outputs.map((v, i) => `${g.outputNames[i]} ${showType(v.type)}`);

describe('what a graph is called and how large it is', () => {
  it('results have the names of the structure that the module returned', () => {
    expect(imported('attention').outputNames).toEqual(['last', 'kv.0', 'kv.1']);
    expect(imported('mlp').outputNames).toEqual(['output']);
  });

  it('dynamic axes are symbols with the ranges of the export', () => {
    const g = imported('dynamic');
    expect(inputs(g)).toEqual(['x f32[s17,s27]', 'y f32[s17,s27]']);
    expect(outputs(g)).toEqual([
      'output_0 f32[s17,floordiv(s27,2)]',
      'output_1 f32[2*s17,s27]',
      'output_2 f32[s17,max(7,s27)]',
      'output_3 f32[s17,s27+mod(s27,4)+1]',
      'output_4 i64[s27]',
      'output_5 i64[]',
    ]);
  });

  it('an input, a parameter and a result given twice stay results', () => {
    expect(outputs(imported('passing'))).toEqual([
      'output_0 f32[2]',
      'output_1 f32[2]',
      'output_2 f32[2]',
      'output_3 f32[2]',
      'output_4 i64[]',
    ]);
  });

  it('extents that only the run knows are bound to what computes them', () => {
    const g = imported('unbacked');
    expect([...g.bindings.keys()]).toEqual(['u0', 'u1']);
  });

  it('origins name the module', () => {
    const paths = new Set<string | undefined>();
    const visit = (g: Graph): void => {
      for (const v of g.outputs) paths.add(v.node.origin.path);
    };
    visit(imported('conv'));
    expect([...paths]).toEqual([undefined]);
    expect(imported('mlp').outputs[0]!.node.origin).toEqual({
      format: 'fx',
      name: 'linear_1',
      opType: 'aten.linear.default',
      path: 'second',
    });
  });
});

describe('programs that cannot be expressed', () => {
  it('names all operators that no converter takes, each with its module', () => {
    const { linear: _, relu: __, ...rest } = atenConverters;
    expect(() => imported('mlp', rest)).toThrow(
      [
        '3 operators of the program are not known here:',
        '    aten.linear.default ("linear" in module "first")',
        '    aten.relu.default ("relu")',
        '    aten.linear.default ("linear_1" in module "second")',
      ].join('\n'),
    );
  });

  it('takes no result of another type than the program declares', () => {
    const wrong = { ...atenConverters, relu: atenConverters.isnan! };
    expect(() => imported('mlp', wrong)).toThrow('the result "relu" came out as bool');
  });
});
