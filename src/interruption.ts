import { setImmediate } from 'node:timers/promises';
import { OnnxruntimeProcess } from './runtime/reference.js';
import { CompileError } from './support/diagnostic.js';

export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CompileError('cancelled', 'the conversion was interrupted');
}

/** Lets signals be heard between two steps that hold the thread, and ends the work when one came. */
export async function pause(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  refuseAborted(signal);
}

/** Work with a process of its own for onnxruntime, which ends with it, or when the signal comes. */
export async function withReference<T>(
  signal: AbortSignal | undefined,
  body: (reference: OnnxruntimeProcess) => Promise<T>,
): Promise<T> {
  const reference = new OnnxruntimeProcess();
  const stop = (): void => reference.dispose();
  signal?.addEventListener('abort', stop);
  try {
    return await body(reference);
  } catch (e) {
    // What failed after the signal failed because of it.
    await pause(signal);
    throw e;
  } finally {
    signal?.removeEventListener('abort', stop);
    reference.dispose();
  }
}
