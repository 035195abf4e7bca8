import { join } from 'node:path';
import { bench } from '../../src/bench.js';
import { convert } from '../../src/compile.js';
import { inputName } from '../../src/ir/graph.js';
import { literalOf } from '../../src/ir/literal.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import type { TensorData } from '../../src/support/tensor-data.js';
import { scriptArguments } from '../arguments.js';
import { runProgram } from '../cache.js';
import { sentence } from '../conformance/case-result.js';
import { machine } from '../machine.js';
import { exportedNetwork } from './models-cache.js';

/**
 * Times networks that PyTorch exported against onnxruntime on the ONNX file that `export` writes for them, runs of the
 * two alternating. --threads N, --seconds S a side; names select networks.
 */
const sizes: Readonly<Record<string, readonly (readonly number[])[]>> = {
  resnet50: [[1, 3, 224, 224]],
  bert: [
    [1, 128],
    [8, 32],
  ],
  gpt2: [
    [1, 128],
    [8, 32],
  ],
};

await runProgram(async () => {
  const { options, rest } = scriptArguments(['threads', 'seconds']);
  const threads = Number(options.threads ?? 2);
  const seconds = Number(options.seconds ?? 5);
  console.log(`${machine()}; ${threads} threads, medians of at least ${seconds} s a side\n`);
  console.log('| network | inputs | ms | onnxruntime ms | ratio |\n|---|---|---|---|---|');
  for (const [name, shapes] of Object.entries(sizes)) {
    if (rest.length > 0 && !rest.includes(name)) continue;
    const model = join((await exportedNetwork(name)).directory, 'dynamic', 'model.pt2');
    await withTemporaryDirectory('ait-pt2-bench', async (dir) => {
      const output = join(dir, 'engine');
      const { graph } = await convert(model, { output, verify: false });
      for (const shape of shapes) {
        const inputs = new Map(graph.inputs.map((v) => [inputName(v), filled(inputName(v), shape)]));
        const { engine, onnxruntime, ratio } = await bench(output, {
          ...{ against: 'onnxruntime', model, inputs, threads, seconds },
        });
        const times = [engine, onnxruntime!].map((t) => t.median.toPrecision(3)).join(' | ');
        console.log(`| ${name} | ${shape.join('x')} | ${times} | ${ratio!.toFixed(2)} |`);
      }
    }).catch((e: unknown) => console.log(`| ${name} | | | | FAILED: ${sentence(e)} |`));
  }
});

/** Images of noise, texts of words from a small vocabulary, nothing masked. */
function filled(name: string, shape: readonly number[]): TensorData {
  const count = shape.reduce((a, b) => a * b, 1);
  const isText = shape.length === 2;
  const element = (i: number): number =>
    isText ? (/mask|args_1/.test(name) ? 1 : (i * 37) % 499) : Math.sin(1.7 * i);
  const dtype = isText ? 'i64' : 'f32';
  return {
    dtype,
    shape,
    bytes: literalOf(
      dtype,
      shape,
      Array.from({ length: count }, (_, i) => element(i)),
    ).bytes(),
  };
}
