import { compareTensors } from '../../src/accuracy/metrics.js';
import { toleranceFor } from '../../src/accuracy/tolerance.js';
import type { Step } from '../../src/artifact/manifest.js';
import { dataSetFiles, readValueFile } from '../../src/onnx/data-set.js';
import { Pipeline, type Values } from '../../src/runtime/pipeline.js';
import { InferenceSession } from '../../src/runtime/session.js';
import type { TensorData } from '../../src/support/tensor-data.js';
import { isTensorData, type ValueData } from '../../src/support/value-data.js';
import type { ModelScale } from '../../src/verify.js';
import { type CaseResult, sentence } from './case-result.js';

/** The child process that runs cases, which may crash it. It answers one job at a time and ends with its parent. */

export interface CaseJob {
  readonly directory: string;
  /** Steps to run from a library that many cases share; without them the folder is an engine directory. */
  readonly steps?: readonly Step[];
  /** Names in the order of the data files. */
  readonly inputs: readonly { readonly name: string; readonly kind: Kind }[];
  readonly outputs: readonly { readonly name: string; readonly value: string; readonly kind: Kind }[];
  readonly dataSets: readonly string[];
  readonly rtol: number;
  readonly atol: number;
  /** What a tolerance follows from where values are stored more coarsely than the case expects. */
  readonly scale?: ModelScale;
}

type Kind = Parameters<typeof readValueFile>[1];

export type CaseReply = NonNullable<CaseResult['failure']> | 'ok';

const threads = 2;

type Anything = ReadonlyMap<string, ValueData>;

interface Opened {
  run(feeds: Anything): Promise<Anything>;
  close(): Promise<void>;
}

async function open({ directory, steps, outputs }: CaseJob): Promise<Opened> {
  if (steps) {
    const pipeline = await Pipeline.open(directory, { steps }, { threads, blocking: true });
    const run = async (feeds: Anything): Promise<Anything> => {
      const values = await pipeline.run(
        feeds as Values,
        outputs.map((o) => o.value),
      );
      return new Map(outputs.map((o) => [o.name, values.get(o.value)!]));
    };
    return { run, close: () => pipeline.close() };
  }
  const session = await InferenceSession.create(directory, { threads, offload: false });
  return { run: (feeds) => session.runAny(feeds), close: () => session.dispose() };
}

/** The case before: closed once the next is open, so that a GPU is not given back between them. */
let before: Opened | undefined;

async function answer(job: CaseJob): Promise<CaseReply> {
  let stage: Exclude<CaseReply, 'ok'>['stage'] = 'load';
  try {
    const opened = await open(job);
    const last = before;
    before = opened;
    await last?.close();
    for (const dataSet of job.dataSets) {
      stage = 'run';
      const read = (kind: 'input' | 'output') =>
        dataSetFiles(dataSet, kind).map((file, i) => readValueFile(file, job[`${kind}s`][i]!.kind));
      const actual = await opened.run(new Map(read('input').map((v, i) => [job.inputs[i]!.name, v])));
      stage = 'compare';
      const problems = read('output').flatMap((expected, i) => {
        const { name } = job.outputs[i]!;
        const difference = differenceOf(actual.get(name)!, expected, job);
        return difference === undefined ? [] : [`${name}: ${difference}`];
      });
      if (problems.length > 0) return { stage, reason: problems.join('; ') };
    }
    return 'ok';
  } catch (e) {
    return { stage, reason: sentence(e) };
  }
}

function differenceOf(actual: ValueData, expected: ValueData, job: CaseJob): string | undefined {
  const [mine, theirs] = [tensorsOf(actual), tensorsOf(expected)];
  if (kindOf(actual) !== kindOf(expected) || mine.length !== theirs.length)
    return `${kindOf(actual)} of ${mine.length} where ${kindOf(expected)} of ${theirs.length} is expected`;
  for (const [i, tensor] of theirs.entries()) {
    const rtol = tensor.dtype === 'bf16' ? Math.max(2 ** -6, job.rtol) : job.rtol;
    const own = job.scale && toleranceFor(tensor, job.scale);
    const tolerance = { atol: Math.max(job.atol, own?.atol ?? 0), rtol: Math.max(rtol, own?.rtol ?? 0) };
    const { pass, problem, worst } = compareTensors(mine[i]!, tensor, tolerance);
    if (pass) continue;
    return problem ?? `${worst?.actual} where ${worst?.expected} is expected at [${worst?.index}]`;
  }
  return undefined;
}

const kindOf = (value: ValueData): Kind => (isTensorData(value) ? 'tensor' : value.kind);

function tensorsOf(value: ValueData): readonly TensorData[] {
  if (isTensorData(value)) return [value];
  if (value.kind === 'sequence') return value.elements;
  return value.value === undefined ? [] : tensorsOf(value.value);
}

process.on('message', (job: CaseJob) => {
  answer(job).then(
    (reply) => process.send!(reply),
    (e: unknown) => process.send!({ stage: 'run', reason: sentence(e) } satisfies CaseReply),
  );
});
process.on('disconnect', () => process.exit());
