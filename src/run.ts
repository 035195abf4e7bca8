import type { Manifest } from './artifact/manifest.js';
import { givenValues, type InputOptions, withExtents } from './inputs.js';
import { InferenceSession } from './runtime/session.js';
import { CompileError } from './support/diagnostic.js';
import type { ValueData } from './support/value-data.js';
import { guessCount, inputsFor } from './verify.js';

export interface RunOptions extends InputOptions {
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult {
  readonly manifest: Manifest;
  readonly feeds: ReadonlyMap<string, ValueData>;
  readonly outputs: ReadonlyMap<string, ValueData>;
  /** Of the run alone, the first of its session. */
  readonly seconds: number;
}

/** Runs an engine directory once. Throws a CompileError when the directory or the inputs are at fault. */
export async function run(directory: string, options: RunOptions = {}): Promise<RunResult> {
  const { threads, signal } = options;
  const session = await InferenceSession.create(directory, threads === undefined ? {} : { threads });
  try {
    signal?.throwIfAborted();
    return await runOn(session, options);
  } finally {
    await session.dispose();
  }
}

/** The same on a session that stays open. */
export async function runOn(session: InferenceSession, options: InputOptions): Promise<RunResult> {
  const { manifest } = session;
  const once = async (feeds: ReadonlyMap<string, ValueData>): Promise<RunResult> => {
    const start = performance.now();
    const outputs = await session.runAny(feeds);
    return { manifest, feeds, outputs, seconds: (performance.now() - start) / 1000 };
  };
  const given = givenValues(manifest, options);
  if (given !== undefined) return once(given);
  const sized = withExtents(manifest, options.extents);
  for (let attempt = 0; ; attempt++)
    try {
      return await once(inputsFor(sized, options.seed ?? 0, attempt));
    } catch (e) {
      // Sizes that nothing tells are guessed; the engine says which do not go together.
      const wrongSizes =
        e instanceof CompileError && ['bad-input', 'run-failed', 'out-of-memory'].includes(e.code);
      if (!wrongSizes || attempt + 1 >= guessCount(sized)) throw e;
    }
}
