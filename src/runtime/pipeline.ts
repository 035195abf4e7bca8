import { join } from 'node:path';
import type { Manifest, Step } from '../artifact/manifest.js';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import { narrowed, widened } from '../support/wide-types.js';
import { EngineLibrary } from './engine-library.js';
import { EngineSegment } from './engine-segment.js';
import { FallbackModel } from './fallback-model.js';

export interface PipelineOptions {
  readonly threads: number;
  /** Engine segments run on the calling thread. */
  readonly blocking: boolean;
}

/** What runs values named by the manifest: in this thread, or in another. */
export interface Runner {
  run(feeds: Values, wanted: readonly string[]): Promise<Values>;
  close(): Promise<void>;
}

export type Values = ReadonlyMap<string, TensorData>;

interface OpenStep {
  readonly step: Step;
  readonly run: (inputs: readonly TensorData[]) => Promise<readonly TensorData[]>;
  readonly close: () => void | Promise<void>;
}

/** The steps of an engine directory, opened, in execution order. */
export class Pipeline implements Runner {
  private constructor(
    readonly steps: readonly OpenStep[],
    readonly library: EngineLibrary | undefined,
  ) {}

  static async open(
    directory: string,
    manifest: Pick<Manifest, 'steps'>,
    options: PipelineOptions,
  ): Promise<Pipeline> {
    const compiled = manifest.steps.some((step) => step.kind === 'engine');
    const library = compiled ? new EngineLibrary(directory) : undefined;
    const steps: OpenStep[] = [];
    try {
      for (const step of manifest.steps) steps.push(await openStep(directory, step, library, options));
      return new Pipeline(steps, library);
    } catch (error) {
      await closeAll(steps, library);
      throw error;
    }
  }

  /** Runs the steps that the wanted values need. A value is let go after the last step that reads it. */
  async run(feeds: Values, wanted: readonly string[]): Promise<Values> {
    const values = new Map(feeds);
    const needed = neededSteps(this.steps, wanted);
    const lastRead = new Map(
      needed.flatMap(({ step }, i) => step.inputs.map((value) => [value, i] as const)),
    );
    const kept = new Set(wanted);
    for (const [i, { step, run }] of needed.entries()) {
      const inputs = step.inputs.map((value) => values.get(value)!);
      const outputs = await run(inputs).catch((error: unknown) => {
        if (error instanceof CompileError) error.notes.push(`in the ${step.kind} step ${step.target}`);
        throw error;
      });
      step.outputs.forEach((value, k) => {
        values.set(value, outputs[k]!);
      });
      for (const value of [...step.inputs, ...step.outputs])
        if ((lastRead.get(value) ?? i) <= i && !kept.has(value)) values.delete(value);
    }
    return new Map(wanted.map((value) => [value, values.get(value)!]));
  }

  close(): Promise<void> {
    return closeAll(this.steps, this.library);
  }
}

async function openStep(
  directory: string,
  step: Step,
  library: EngineLibrary | undefined,
  { threads, blocking }: PipelineOptions,
): Promise<OpenStep> {
  if (step.kind === 'engine') {
    const segment = new EngineSegment(library!, step.target, threads, blocking);
    return { step, run: (inputs) => segment.run(inputs), close: () => segment.close() };
  }
  const model = await FallbackModel.open(join(directory, step.target), threads);
  const narrow = new Map(step.narrow?.map(({ value, dtype }) => [value, dtype]));
  const run: OpenStep['run'] = async (inputs) => {
    const outputs = await model.run(inputs.map(widened));
    return outputs.map((tensor, i) => {
      const dtype = narrow.get(step.outputs[i]!);
      return dtype === undefined ? tensor : narrowed(tensor, dtype);
    });
  };
  return { step, run, close: () => model.close() };
}

async function closeAll(steps: readonly OpenStep[], library: EngineLibrary | undefined): Promise<void> {
  for (const { close } of steps) await close();
  library?.unload();
}

function neededSteps(steps: readonly OpenStep[], wanted: readonly string[]): readonly OpenStep[] {
  const needed = new Set(wanted);
  const chosen = steps.toReversed().filter(({ step }) => {
    if (!step.outputs.some((value) => needed.has(value))) return false;
    for (const value of step.inputs) needed.add(value);
    return true;
  });
  return chosen.reverse();
}
