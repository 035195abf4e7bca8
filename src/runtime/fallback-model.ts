import { existsSync } from 'node:fs';
import type * as onnxruntime from 'onnxruntime-node';
import { CompileError } from '../support/diagnostic.js';
import { silenceOnnxruntime } from '../support/env.js';
import type { TensorData } from '../support/tensor-data.js';
import { fromOrt, toOrt } from './ort-tensor.js';

/** A piece of the model that runs on onnxruntime. */
export class FallbackModel {
  readonly #session: onnxruntime.InferenceSession;

  private constructor(session: onnxruntime.InferenceSession) {
    this.#session = session;
  }

  static async open(path: string, threads: number): Promise<FallbackModel> {
    if (!existsSync(path))
      throw new CompileError('missing-fallback', `${path} is missing`, 'convert the model again');
    silenceOnnxruntime();
    // Loaded only where it is needed: the library is large.
    const { InferenceSession } = await import('onnxruntime-node');
    try {
      const session = await InferenceSession.create(path, {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        logSeverityLevel: 3,
        // Threads that spin after a run would take the cores from the engine segment that follows.
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      });
      return new FallbackModel(session);
    } catch (cause) {
      throw new CompileError('bad-fallback', `onnxruntime cannot load ${path}: ${(cause as Error).message}`);
    }
  }

  /** Inputs in the order of the model's; blocks the thread for the whole run. */
  async run(inputs: readonly TensorData[]): Promise<readonly TensorData[]> {
    const session = this.#session;
    const feeds = Object.fromEntries(
      session.inputNames.map((name, i) => [name, toOrt(unshared(inputs[i]!))]),
    );
    const results = await session.run(feeds).catch((cause: Error) => {
      throw new CompileError('run-failed', cause.message);
    });
    return session.outputNames.map((name) => fromOrt(results[name]!));
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

/** onnxruntime-node refuses shared memory. */
function unshared(tensor: TensorData): TensorData {
  const shared = tensor.bytes.buffer instanceof SharedArrayBuffer;
  return shared ? { ...tensor, bytes: Uint8Array.from(tensor.bytes) } : tensor;
}
