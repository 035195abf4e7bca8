import { join } from 'node:path';
import { type Bench, bench } from '../src/bench.js';
import { convert } from '../src/compile.js';

import { withTemporaryDirectory } from '../src/support/temporary.js';
import { scriptArguments } from './arguments.js';
import { runProgram } from './cache.js';
import { sentence } from './conformance/case-result.js';
import { machine } from './machine.js';
import { type ZooModel, zoo } from './zoo-fetch.js';
import { zooFeeds } from './zoo-inputs.js';

/**
 * Times every model of the zoo against onnxruntime-node with all its optimisations, runs of the two alternating.
 * --threads 1,2: the numbers of threads; --seconds S: how long each side is measured. Names select models.
 */
await runProgram(async () => {
  const { options, rest } = scriptArguments(['threads', 'seconds']);
  const threads = (options.threads ?? '1,2').split(',').map(Number);
  const seconds = Number(options.seconds ?? 2);
  const chosen = (await zoo()).filter((m) => rest.length === 0 || rest.some((name) => m.name.includes(name)));
  console.log(`${machine()}; medians of at least ${seconds} s a side\n`);
  const heads = threads.map((n) => `${n} thread${n === 1 ? '' : 's'}: ms | onnxruntime ms | ratio`);
  console.log(`| model | ${heads.join(' | ')} |`);
  console.log(`|---|${'---|'.repeat(3 * threads.length)}`);
  const ratios = threads.map((): number[] => []);
  for (const model of chosen) {
    const cells = await measured(model, threads, seconds, (i, ratio) => ratios[i]!.push(ratio));
    console.log(`| ${model.name} | ${cells.join(' | ')} |`);
  }
  const means = ratios.map((of) => {
    const mean = Math.exp(of.reduce((sum, r) => sum + Math.log(r), 0) / of.length);
    return ` | | ${mean.toFixed(2)} (${of.length})`;
  });
  console.log(`| geometric mean (models) |${means.join(' |')} |`);
});

async function measured(
  model: ZooModel,
  threads: readonly number[],
  seconds: number,
  note: (index: number, ratio: number) => void,
): Promise<readonly string[]> {
  try {
    return await withTemporaryDirectory('ait-bench-zoo', async (dir) => {
      const output = join(dir, 'engine');
      await convert(model.file, { output, verify: false });
      const inputs = zooFeeds(model.inputs);
      const cells: string[] = [];
      for (const [i, n] of threads.entries()) {
        const result = await bench(output, {
          ...{ against: 'onnxruntime', model: model.file, inputs, threads: n, seconds },
        });
        note(i, result.ratio!);
        cells.push(cellOf(result));
      }
      return cells;
    });
  } catch (e) {
    return [`FAILED: ${sentence(e)}`];
  }
}

function cellOf({ engine, onnxruntime, ratio }: Bench): string {
  return `${engine.median.toPrecision(3)} | ${onnxruntime!.median.toPrecision(3)} | ${ratio!.toFixed(2)}`;
}
