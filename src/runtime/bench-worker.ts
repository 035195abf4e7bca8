/** The child process that times onnxruntime in blocks, so that neither side shares the other's allocator or threads. */
import { InferenceSession } from 'onnxruntime-node';
import type { TensorData } from '../support/tensor-data.js';
import { toOrt } from './ort-tensor.js';

export type BenchRequest =
  | {
      readonly kind: 'open';
      readonly model: string | Uint8Array;
      readonly threads: number;
      readonly feeds: readonly (readonly [name: string, tensor: TensorData])[];
    }
  | { readonly kind: 'block'; readonly runs: number };

export type BenchReply =
  | { readonly kind: 'opened' }
  /** Milliseconds of each run. */
  | { readonly kind: 'times'; readonly times: readonly number[] }
  | { readonly kind: 'failed'; readonly reason: string };

let runOnce: (() => Promise<unknown>) | undefined;

async function answer(request: BenchRequest): Promise<BenchReply> {
  try {
    switch (request.kind) {
      case 'open': {
        const { model } = request;
        const settings = {
          intraOpNumThreads: request.threads,
          interOpNumThreads: 1,
          executionMode: 'sequential',
          graphOptimizationLevel: 'all',
          logSeverityLevel: 3,
        } as const;
        const session = await (typeof model === 'string'
          ? InferenceSession.create(model, settings)
          : InferenceSession.create(model, settings));
        const feeds = Object.fromEntries(request.feeds.map(([name, tensor]) => [name, toOrt(tensor)]));
        runOnce = () => session.run(feeds);
        return { kind: 'opened' };
      }
      case 'block': {
        const times: number[] = [];
        for (let i = 0; i < request.runs; i++) {
          const start = performance.now();
          await runOnce?.();
          times.push(performance.now() - start);
        }
        return { kind: 'times', times };
      }
      default:
        return request satisfies never;
    }
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

process.on('disconnect', () => process.exit());
process.on('message', (request: BenchRequest) => {
  void answer(request).then((reply) => process.send?.(reply));
});
