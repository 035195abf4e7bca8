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
  /** The code of that: the engine could not be opened here, so nothing is known about it. */
  readonly unopened?: string;
}

async function run({ directory, feeds, threads }: TrialRequest): Promise<TrialReply> {
  let opened = false;
  try {
    const session = await InferenceSession.create(directory, threads === undefined ? {} : { threads });
    opened = true;
    await session.runData(new Map(feeds));
    await session.dispose();
    return { problem: undefined };
  } catch (e) {
    if (!(e instanceof CompileError)) throw e;
    const lacking = !opened && ['no-device', 'out-of-memory'].includes(e.code);
    return { problem: e.message, ...(lacking ? { unopened: e.code } : {}) };
  }
}

process.on('disconnect', () => process.exit(1));
process.once('message', async (request: TrialRequest) => {
  process.send!(await run(request), () => process.exit(0));
});
