import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { exportOnnx } from '../importers/onnx/export.js';
import { compareTensors } from '../src/accuracy/metrics.js';
import { type Graph, inputName } from '../src/ir/graph.js';
import { load } from '../src/load.js';
import { dataSetFiles, readTensorFile } from '../src/onnx/data-set.js';
import { encodeModel } from '../src/onnx/encode.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { CompileError } from '../src/support/diagnostic.js';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import type { TensorData } from '../src/support/tensor-data.js';
import { scriptArguments } from './arguments.js';
import { repository, runProgram } from './cache.js';
import { sentence } from './conformance/case-result.js';
import { pythonEnv } from './python-env.js';
import { type SuiteCase, suite } from './suite-fetch.js';

/**
 * Usage: tsx scripts/export-suite.ts [REGEX] [--opsets 17,18,…]: writes the suite's node cases of such names anew in
 * several operator sets, has onnx check the files, and compares what onnxruntime computes from them with the recorded
 * results. Prints what is not right, and what the operator sets lack as a number.
 */
await runProgram(async () => {
  const { options, rest } = scriptArguments(['opsets']);
  const opsets = (options.opsets ?? '17,18,19,20,21,22,23').split(',').map(Number);
  const cases = (await suite()).filter((c) => new RegExp(rest[0] ?? '.').test(c.name) && isPlain(c));
  const tally = new Map<string, number>();
  const onnxruntime = new OnnxruntimeProcess({ timeoutMs: 60_000 });
  await withTemporaryDirectory('ait-export-suite', async (folder) => {
    for (const c of cases)
      for (const [opset, verdict] of await verdicts(c, opsets, folder, onnxruntime)) {
        const known = /^(right|not in it|not on onnxruntime)$/.test(verdict);
        if (!known) console.log(`${c.name}, opset ${opset}: ${verdict}`);
        const key = `opset ${opset}: ${known ? verdict : 'failed'}`;
        tally.set(key, (tally.get(key) ?? 0) + 1);
      }
    const checker = join(repository, 'scripts', 'pt2', 'check-files.py');
    const { stdout } = await execa(await pythonEnv(), [checker, folder]);
    if (stdout !== '') console.log(stdout);
  });
  onnxruntime.dispose();
  console.log([...tally].map(([key, n]) => `${key} ${n}`).join('\n'));
});

/** Tensors of numbers in and out, and nothing random. */
function isPlain(c: SuiteCase): boolean {
  return (
    c.suite === 'node' &&
    !/random|bernoulli|dropout|multinomial|training/.test(c.name) &&
    [...c.inputs, ...c.outputs].every((v) => v.kind === 'tensor' && v.dtype !== 'string')
  );
}

async function verdicts(
  c: SuiteCase,
  opsets: readonly number[],
  folder: string,
  onnxruntime: OnnxruntimeProcess,
): Promise<readonly (readonly [opset: number, verdict: string])[]> {
  const { graph } = await load(c.model, {}, () => {});
  const set = join(c.directory, 'test_data_set_0');
  const files = dataSetFiles(set, 'input');
  if (files.length !== graph.inputs.length) return [];
  const feeds = new Map(graph.inputs.map((v, i) => [inputName(v), readTensorFile(files[i]!)]));
  // onnxruntime is not right about every model of the suite either.
  const runs = await onnxruntime.run(c.model, feeds).then(
    (results) => wrong(c, graph, set, results) === '',
    () => false,
  );
  const found: (readonly [number, string])[] = [];
  for (const opset of opsets) {
    const bytes = written(graph, opset);
    if (bytes instanceof Uint8Array) {
      await writeFile(join(folder, `${c.name}-${opset}.onnx`), bytes);
      const results = await onnxruntime.run(bytes, feeds).catch((e: unknown) => sentence(e));
      const problem = typeof results === 'string' ? results : wrong(c, graph, set, results);
      found.push([opset, problem === '' ? 'right' : runs ? problem : 'not on onnxruntime']);
    } else found.push([opset, bytes]);
  }
  return found;
}

function written(graph: Graph, opset: number): Uint8Array | string {
  try {
    return encodeModel(exportOnnx(graph, { opset }));
  } catch (e) {
    if (e instanceof CompileError && e.code === 'not-in-opset') return 'not in it';
    throw e;
  }
}

function wrong(c: SuiteCase, graph: Graph, set: string, results: ReadonlyMap<string, TensorData>): string {
  return dataSetFiles(set, 'output')
    .flatMap((file, i) => {
      const name = graph.outputNames[i]!;
      const { pass, problem, maxAbs } = compareTensors(results.get(name)!, readTensorFile(file), c);
      return pass ? [] : [`${name} ${problem ?? `differs by ${maxAbs}`}`];
    })
    .join('; ');
}
