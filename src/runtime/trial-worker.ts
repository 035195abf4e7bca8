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
}

async function run({ directory, feeds, threads }: TrialRequest): Promise<string | undefined> {
  try {
    const session = await InferenceSession.create(directory, threads === undefined ? {} : { threads });
    await session.runData(new Map(feeds));
    await session.dispose();
    return undefined;
  } catch (e) {
    if (e instanceof CompileError) return e.message;
    throw e;
  }
}

process.on('disconnect', () => process.exit(1));
process.once('message', async (request: TrialRequest) => {
  const problem = await run(request);
  process.send!({ problem } satisfies TrialReply, () => process.exit(0));
});
