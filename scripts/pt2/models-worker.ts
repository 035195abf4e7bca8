import { join } from 'node:path';
import { compareTensors } from '../../src/accuracy/metrics.js';
import { convert } from '../../src/compile.js';
import { exportModel } from '../../src/export-model.js';
import { inputName } from '../../src/ir/graph.js';
import { dataSetFiles, readTensorFile } from '../../src/onnx/data-set.js';
import { InferenceSession } from '../../src/runtime/session.js';
import { withTemporaryDirectory } from '../../src/support/temporary.js';
import { sentence } from '../conformance/case-result.js';
import { reasonsOf } from '../conformance/prepare.js';
import { onnxFile } from './models-table.js';

/** The child process that converts, runs and exports one network, which may crash it. */

export interface ModelJob {
  readonly directory: string;
  /** The folder for what is exported, one file for each operator set. */
  readonly onnx: string;
  readonly opsets: readonly number[];
  readonly dataSets: number;
  readonly rtol: number;
  readonly atol: number;
}

export interface ModelReply {
  readonly nodes?: { readonly compiled: number; readonly all: number };
  readonly seconds?: number;
  /** Why nodes are left. */
  readonly left?: string;
  /** The largest difference from eager PyTorch, over all data sets and results. */
  readonly difference?: number;
  readonly failure?: string;
  /** Names of the inputs and the results, where an ONNX file was written. */
  readonly exported?: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
  readonly exportFailure?: string;
}

async function work(job: ModelJob): Promise<ModelReply> {
  return { ...(await engineOf(job)), ...(await exportOf(job)) };
}

async function engineOf(job: ModelJob): Promise<ModelReply> {
  let known: ModelReply = {};
  try {
    return await withTemporaryDirectory('ait-pt2', async (dir) => {
      const output = join(dir, 'engine');
      const start = performance.now();
      const { engine } = await convert(join(job.directory, 'model.pt2'), { output, verify: false });
      const { decisions } = engine.partition;
      const left = reasonsOf(engine.partition);
      known = {
        nodes: { compiled: decisions.filter((d) => d.kind === 'engine').length, all: decisions.length },
        seconds: (performance.now() - start) / 1000,
        ...(left === '' ? {} : { left }),
      };
      return { ...known, ...(await compared(output, job)) };
    });
  } catch (e) {
    return { ...known, failure: sentence(e, 600) };
  }
}

async function compared(engine: string, job: ModelJob): Promise<ModelReply> {
  const session = await InferenceSession.create(engine, { threads: 2 });
  let difference = 0;
  try {
    for (let i = 0; i < job.dataSets; i++) {
      const set = join(job.directory, `test_data_set_${i}`);
      const feeds = new Map(
        dataSetFiles(set, 'input').map((file, k) => [session.inputNames[k]!, readTensorFile(file)]),
      );
      const results = await session.runData(feeds);
      for (const [k, file] of dataSetFiles(set, 'output').entries()) {
        const name = session.outputNames[k]!;
        const c = compareTensors(results.get(name)!, readTensorFile(file), job);
        difference = Math.max(difference, c.maxAbs);
        if (!c.pass)
          return {
            difference,
            failure: `data set ${i}: ${name}: ${c.problem ?? `differs by ${c.maxAbs}, ${job.atol} is allowed`}`,
          };
      }
    }
    return { difference };
  } finally {
    await session.dispose();
  }
}

async function exportOf({ directory, onnx, opsets }: ModelJob): Promise<ModelReply> {
  try {
    let names: ModelReply['exported'];
    for (const opset of opsets) {
      const { graph } = await exportModel(join(directory, 'model.pt2'), onnxFile(onnx, opset), { opset });
      names = { inputs: graph.inputs.map(inputName), outputs: graph.outputNames };
    }
    return names ? { exported: names } : {};
  } catch (e) {
    return { exportFailure: sentence(e, 400) };
  }
}

process.on('message', (job: ModelJob) => {
  work(job).then(
    (reply) => process.send!(reply),
    (e: unknown) => process.send!({ failure: sentence(e) } satisfies ModelReply),
  );
});
process.on('disconnect', () => process.exit());
