import { compareTensors } from '../../src/accuracy/metrics.js';
import type { Step } from '../../src/artifact/manifest.js';
import { dataSetFiles, readTensorFile } from '../../src/onnx/data-set.js';
import { Pipeline, type Values } from '../../src/runtime/pipeline.js';
import { InferenceSession } from '../../src/runtime/session.js';
import { type CaseResult, sentence } from './case-result.js';

/** The child process that runs cases, which may crash it. It answers one job at a time and ends with its parent. */

export interface CaseJob {
  readonly directory: string;
  /** Steps to run from a library that many cases share; without them the folder is an engine directory. */
  readonly steps?: readonly Step[];
  /** Names in the order of the data files. */
  readonly inputs: readonly string[];
  readonly outputs: readonly { readonly name: string; readonly value: string }[];
  readonly dataSets: readonly string[];
  readonly rtol: number;
  readonly atol: number;
}

export type CaseReply = NonNullable<CaseResult['failure']> | 'ok';

const threads = 2;

interface Opened {
  run(feeds: Values): Promise<Values>;
  close(): Promise<void>;
}

async function open({ directory, steps, outputs }: CaseJob): Promise<Opened> {
  if (steps) {
    const pipeline = await Pipeline.open(directory, { steps }, { threads, blocking: true });
    const run = async (feeds: Values): Promise<Values> => {
      const values = await pipeline.run(
        feeds,
        outputs.map((o) => o.value),
      );
      return new Map(outputs.map((o) => [o.name, values.get(o.value)!]));
    };
    return { run, close: () => pipeline.close() };
  }
  const session = await InferenceSession.create(directory, { threads, offload: false });
  return { run: (feeds) => session.runData(feeds), close: () => session.dispose() };
}

async function answer(job: CaseJob): Promise<CaseReply> {
  let stage: Exclude<CaseReply, 'ok'>['stage'] = 'load';
  let opened: Opened | undefined;
  try {
    opened = await open(job);
    for (const dataSet of job.dataSets) {
      stage = 'run';
      const read = (kind: 'input' | 'output') => dataSetFiles(dataSet, kind).map(readTensorFile);
      const actual = await opened.run(new Map(read('input').map((t, i) => [job.inputs[i]!, t])));
      stage = 'compare';
      const problems = read('output').flatMap((expected, i) => {
        const { name } = job.outputs[i]!;
        const rtol = expected.dtype === 'bf16' ? Math.max(2 ** -6, job.rtol) : job.rtol;
        const { pass, problem, worst } = compareTensors(actual.get(name)!, expected, {
          atol: job.atol,
          rtol,
        });
        if (pass) return [];
        const seen = worst && `${worst.actual} where ${worst.expected} is expected at [${worst.index}]`;
        return [`${name}: ${problem ?? seen}`];
      });
      if (problems.length > 0) return { stage, reason: problems.join('; ') };
    }
    return 'ok';
  } catch (e) {
    return { stage, reason: sentence(e) };
  } finally {
    await opened?.close();
  }
}

process.on('message', (job: CaseJob) => {
  answer(job).then(
    (reply) => process.send!(reply),
    (e: unknown) => process.send!({ stage: 'run', reason: sentence(e) } satisfies CaseReply),
  );
});
process.on('disconnect', () => process.exit());
