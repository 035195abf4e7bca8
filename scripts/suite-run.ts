import { fork } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildFailure, build } from '../codegen/build.js';
import { emitSegment, type SegmentCode } from '../codegen/host-program.js';
import { emitModule } from '../codegen/module.js';
import { importOnnx } from '../importers/onnx/import.js';
import { AITLowerer } from '../lowering/ait-lowerer.js';
import { compareTensors } from '../src/accuracy/metrics.js';
import { cpuBackend } from '../src/backend.js';
import { dtypeOf, inputName } from '../src/ir/graph.js';
import { dataSetFiles, readTensorFile } from '../src/onnx/data-set.js';
import { readModelFile } from '../src/onnx/model-file.js';
import { operators } from '../src/ops/index.js';
import { cacheDirectory } from '../src/support/env.js';
import type { TensorData } from '../src/support/tensor-data.js';
import { type SuiteCase, suite } from './suite-fetch.js';

/** Usage: tsx scripts/suite-run.ts <regex of case names> [-v]: compiles and runs suite cases, prints what fails. */
const pattern = new RegExp(process.argv[2] ?? '.');
const verbose = process.argv.includes('-v');
const batchSize = 40;

const backend = await cpuBackend('native');
const cases = (await suite()).filter((c) => pattern.test(c.name));
const results = new Map<string, string>();

interface Ready {
  readonly test: SuiteCase;
  readonly code: SegmentCode;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly dtypes: readonly string[];
}

let weightsEnd = 0;
let weights: { at: number; bytes: Uint8Array }[] = [];

function prepare(test: SuiteCase, name: string): Ready | undefined {
  try {
    const { model, baseDir } = readModelFile(test.model);
    const g = importOnnx(model, {
      operators,
      baseDir,
      warn: (w) => verbose && console.log(`  ${test.name}: ${w}`),
    });
    const { segments, decisions } = new AITLowerer({ refuse: backend.refuse, work: backend.work }).partition(
      g,
    );
    const left = decisions.filter((d) => d.kind === 'fallback');
    if (left.length > 0) {
      results.set(
        test.name,
        `FALLBACK ${left
          .slice(0, 3)
          .map((d) => `${d.node.origin.opType}: ${d.reason}`)
          .join('; ')}`,
      );
      return undefined;
    }
    const [segment] = segments;
    if (!segment || segments.length > 1) throw new Error(`${segments.length} segments`);
    const code = emitSegment(name, segment.graph, backend.target, backend.kernelOf, {
      get bytes() {
        return weightsEnd;
      },
      append: (l) => {
        const at = weightsEnd;
        weights.push({ at, bytes: l.bytes() });
        weightsEnd = Math.ceil((at + l.byteLength + 64) / 64) * 64;
        return at;
      },
    });
    return {
      test,
      code,
      reads: segment.reads,
      writes: segment.writes,
      inputNames: g.inputs.map(inputName),
      outputNames: g.outputNames,
      dtypes: segment.graph.outputs.map(dtypeOf),
    };
  } catch (e) {
    results.set(test.name, `ERROR ${e instanceof Error ? (verbose ? e.stack : e.message) : e}`);
    return undefined;
  }
}

async function runBatch(batch: readonly SuiteCase[]): Promise<void> {
  weightsEnd = 0;
  weights = [];
  const ready = batch.flatMap((c, i) => prepare(c, `segment_${i}`) ?? []);
  const directory = mkdtempSync(join(tmpdir(), 'ait-suite-'));
  const file = Buffer.alloc(weightsEnd);
  for (const w of weights) file.set(w.bytes, w.at);
  writeFileSync(join(directory, 'weights.bin'), file);
  let good = ready;
  for (;;) {
    if (good.length === 0) return;
    const sources = emitModule(
      good.map((r) => r.code),
      backend.target,
      weightsEnd,
    );
    try {
      const { library } = await build(sources, { ...backend, cacheDirectory: cacheDirectory() });
      writeFileSync(join(directory, 'libmodel.so'), library);
      break;
    } catch (e) {
      if (!(e instanceof BuildFailure)) throw e;
      const bad = new Map<string, string>();
      for (const [name, message] of e.failures) {
        const text = sources.find((s) => s.name === name)!.text;
        for (const r of good)
          if (r.code.kernels.some((k) => text.includes(`void ${k.entry}(`)) || name === 'program.cpp')
            bad.set(r.test.name, message);
      }
      for (const [name, message] of bad) results.set(name, `COMPILE ${message}`);
      good = good.filter((r) => !bad.has(r.test.name));
    }
  }
  let worker = start();
  for (const r of good) {
    const inputs = new Map(
      dataSetFiles(join(r.test.directory, 'test_data_set_0'), 'input').map((f, i) => [
        r.inputNames[i]!,
        readTensorFile(f),
      ]),
    );
    const job = {
      directory,
      library: join(directory, 'libmodel.so'),
      segment: r.code.name,
      inputs: r.reads.map((n) => inputs.get(n)!),
      outputs: r.dtypes,
    };
    const reply = await new Promise<{ outputs?: TensorData[]; error?: string }>((resolve) => {
      const done = (x: { outputs?: TensorData[]; error?: string }): void => {
        worker.removeAllListeners();
        clearTimeout(timer);
        resolve(x);
      };
      const timer = setTimeout(() => worker.kill('SIGKILL'), 20000);
      worker.once('message', done as never);
      worker.once('exit', (code, signal) => done({ error: `CRASH ${signal ?? code}` }));
      worker.send(job as never);
    });
    if (reply.error?.startsWith('CRASH')) worker = start();
    results.set(r.test.name, reply.error ?? judge(r, reply.outputs!));
  }
  worker.kill();
}

const start = () =>
  fork(new URL('./conformance/segment-worker.ts', import.meta.url), {
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
  });

function judge(r: Ready, outputs: readonly TensorData[]): string {
  const problems = dataSetFiles(join(r.test.directory, 'test_data_set_0'), 'output').flatMap((f, i) => {
    const expected = readTensorFile(f);
    const at = r.writes.indexOf(r.outputNames[i]!);
    const actual = outputs[at >= 0 ? at : 0]!;
    const rtol = expected.dtype === 'bf16' ? 2 ** -6 : r.test.rtol;
    const c = compareTensors(actual, expected, { atol: r.test.atol, rtol });
    return c.pass ? [] : [`${r.outputNames[i]}: ${c.problem ?? JSON.stringify(c.worst)}`];
  });
  return problems.length === 0 ? 'ok' : `WRONG ${problems.join('; ')}`;
}

for (let i = 0; i < cases.length; i += batchSize) await runBatch(cases.slice(i, i + batchSize));
const tally = new Map<string, number>();
for (const c of cases) {
  const r = results.get(c.name) ?? 'MISSING';
  const kind = r.split(' ')[0]!;
  tally.set(kind, (tally.get(kind) ?? 0) + 1);
  if (r !== 'ok') console.log(`${c.name}: ${r.slice(0, verbose ? 3000 : 300)}`);
}
console.log(Object.fromEntries(tally));
