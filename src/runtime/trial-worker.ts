/** The child process of `trial`: runs one engine directory once, says how it went, and ends. */
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import { InferenceSession } from './session.js';

export interface TrialRequest {
  readonly directory: string;
  readonly feeds: readonly (readonly [name: string, tensor: TensorData])[];
  readonly threads: number | undefined;
}

export interface TrialReply {
  readonly problem: string | undefined;
  /** The engine is for a device that is not there: nothing is known about it. */
  readonly noDevice?: boolean;
}

async function run({ directory, feeds, threads }: TrialRequest): Promise<TrialReply> {
  try {
    const session = await InferenceSession.create(directory, threads === undefined ? {} : { threads });
    await session.runData(new Map(feeds));
    await session.dispose();
    return { problem: undefined };
  } catch (e) {
    if (e instanceof CompileError) return { problem: e.message, noDevice: e.code === 'no-device' };
    throw e;
  }
}

process.on('disconnect', () => process.exit(1));
process.once('message', async (request: TrialRequest) => {
  process.send!(await run(request), () => process.exit(0));
});
