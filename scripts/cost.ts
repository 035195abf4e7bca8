import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cpuBackend } from '../src/cpu-backend.js';
import { load } from '../src/load.js';
import { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { InferenceSession } from '../src/runtime/session.js';
import { withTemporaryDirectory } from '../src/support/temporary.js';
import { scriptArguments } from './arguments.js';
import { cacheRoot, repository, runProgram, systemPython } from './cache.js';
import { sentence } from './conformance/case-result.js';
import { moved, type Synthetic, syntheticModel } from './cost/synthetic.js';
import { machine } from './machine.js';
import { pythonEnv } from './python-env.js';
import { arenaBytes } from './zoo/arena.js';
import { type ZooModel, zoo } from './zoo-fetch.js';

/**
 * What conversions and engines cost, against the limits set for them: seconds of whole processes, peak memory,
 * activations against onnxruntime's, import of a large model. Names of parts select them: time, memory, arena, import, large.
 */
const mebi = 2 ** 20;
let missed = 0;

await runProgram(async () => {
  const { rest } = scriptArguments([]);
  const wants = (part: string): boolean => rest.length === 0 || rest.includes(part);
  console.log(machine());
  const models = await zoo();
  if (['time', 'memory', 'large'].some(wants)) await execa('npm', ['run', 'build'], { cwd: repository });
  if (wants('time')) await conversionTime(models.find((m) => m.name.endsWith('PP-OCRv4_det_infer'))!);
  if (wants('memory')) await conversionMemory(models);
  if (wants('arena')) await activations(models);
  if (wants('import')) await largeImport();
  if (wants('large')) await largeConversion();
  if (missed > 0) process.exitCode = 1;
});

function report(what: string, value: number, limit: number, unit: string): void {
  const held = value <= limit;
  if (!held) missed++;
  console.log(
    `${held ? 'held  ' : 'MISSED'} ${what}: ${value.toFixed(2)} ${unit}, limit ${limit.toFixed(2)} ${unit}`,
  );
}

interface Timed {
  readonly status: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

/** `ait-convert` as users start it, from the built package. */
async function converted(
  model: Pick<ZooModel, 'name' | 'file'>,
  dir: string,
  cache: string,
): Promise<Timed & { readonly own: number }> {
  const output = join(dir, 'engine');
  const command = [process.execPath, join(repository, 'bin', 'ait-convert.js'), model.file, '-o', output];
  const { stdout, stderr } = await execa(
    await systemPython(),
    [join(repository, 'scripts', 'cost', 'timed.py'), ...command, '--no-verify', '--force'],
    { env: { AIT_CACHE_DIR: cache } },
  );
  const timed: Timed = JSON.parse(stdout);
  if (timed.status !== 0) throw new Error(`${model.name}: exit code ${timed.status}: ${stderr.slice(-500)}`);
  const { memory } = JSON.parse(await readFile(join(output, 'report.json'), 'utf8'));
  return { ...timed, own: memory.peak };
}

async function conversionTime(model: ZooModel): Promise<void> {
  await withTemporaryDirectory('ait-cost', async (dir) => {
    const cache = join(dir, 'cache');
    const cold = await converted(model, dir, cache);
    report(`${model.name}, empty cache`, cold.seconds, 20, 's');
    const warm = await converted(model, dir, cache);
    report(`${model.name}, warm cache`, warm.seconds, 2, 's');
  });
}

/** The converter's own process; compilers and onnxruntime run beside it, and are shown. */
async function conversionMemory(models: readonly ZooModel[]): Promise<void> {
  for (const model of models) {
    await withTemporaryDirectory('ait-cost', async (dir) => {
      const { size } = await stat(model.file);
      const { own, peakBytes } = await converted(model, dir, join(dir, 'cache'));
      const largest = `largest process ${(peakBytes / mebi).toFixed(0)} MiB`;
      report(`peak memory of ${model.name} (${largest})`, own / mebi, (3 * size) / mebi + 250, 'MiB');
    }).catch((e: unknown) => console.log(`FAILED ${model.name}: ${sentence(e)}`));
  }
}

/** Against the smaller of the two ways in which onnxruntime allocates; scripts/cost/onnxruntime_arena.py says which. */
async function activations(models: readonly ZooModel[]): Promise<void> {
  const backend = await cpuBackend('native');
  const reference = new OnnxruntimeProcess();
  const script = join(repository, 'scripts', 'cost', 'onnxruntime_arena.py');
  for (const model of models) {
    try {
      const ours = await arenaBytes(model, model.inputs, backend, reference);
      if (ours === undefined) {
        console.log(`       activations of ${model.name}: decided by the data`);
        continue;
      }
      const input = JSON.stringify({ model: model.file, inputs: model.inputs });
      const { stdout } = await execa(await pythonEnv(), [script], { input });
      const { first, planned }: { first: number; planned: number | null } = JSON.parse(stdout);
      const theirs = Math.min(first, planned ?? first);
      report(`activations of ${model.name}`, ours / mebi, theirs / mebi, 'MiB');
    } catch (e) {
      console.log(`FAILED activations of ${model.name}: ${sentence(e)}`);
    }
  }
  reference.dispose();
}

async function largeImport(): Promise<void> {
  const path = await syntheticModel(join(cacheRoot, 'synthetic'), { layers: 16, width: 4096 });
  const start = performance.now();
  await load(path, {}, () => {});
  report('import of 1 GiB of external data', (performance.now() - start) / 1000, 3, 's');
  const peak = process.resourceUsage().maxRSS / 1024;
  console.log(`       peak memory of this process ${peak.toFixed(0)} MiB`);
}

/** More weights than one protobuf message, one buffer or 32 bits hold. */
async function largeConversion(): Promise<void> {
  const large: Synthetic = { layers: 10, width: 8192, moving: true };
  await withTemporaryDirectory('ait-cost', async (dir) => {
    const file = await syntheticModel(dir, large);
    const size = (await stat(join(dir, 'weights.bin'))).size;
    const { own, seconds } = await converted({ name: 'synthetic', file }, dir, join(dir, 'cache'));
    const gibi = (size / 2 ** 30).toFixed(1);
    console.log(`       conversion of ${gibi} GiB of external data: ${seconds.toFixed(1)} s`);
    report(`peak memory of converting ${gibi} GiB`, own / mebi, (3 * size) / mebi + 250, 'MiB');
    const row = Float32Array.from({ length: large.width }, (_, i) => i - 1000);
    const bytes = new Uint8Array(row.buffer);
    const session = await InferenceSession.create(join(dir, 'engine'));
    const results = await session.runData(
      new Map([['x0', { dtype: 'f32', shape: [1, large.width], bytes }]]),
    );
    await session.dispose();
    const [result] = [...results.values()];
    const wrong = Buffer.compare(new Uint8Array(moved(row, large).buffer), result!.bytes) === 0 ? 0 : 1;
    report('wrong results of that model', wrong, 0, '');
  });
}
