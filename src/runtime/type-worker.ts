/** The child process that loads small models on onnxruntime and tells the types of their results. */
import { env, InferenceSession } from 'onnxruntime-node';
import { dtypeOfOrt } from './ort-tensor.js';

export type ResultType = { readonly dtype: string; readonly dims: readonly (number | string)[] };
/** For each result its type; undefined where there is no tensor type, or no result at all. */
export type TypeReply = readonly (ResultType | undefined)[];

async function typesOf(model: Uint8Array): Promise<TypeReply> {
  const session = await InferenceSession.create(model, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    return session.outputMetadata.map((output) => {
      const dtype = output.isTensor ? dtypeOfOrt(output.type) : undefined;
      return output.isTensor && dtype !== undefined ? { dtype, dims: output.shape } : undefined;
    });
  } finally {
    await session.release();
  }
}

env.logLevel = 'fatal';
process.on('disconnect', () => process.exit());
process.on('message', (model: Uint8Array) => {
  typesOf(model).then(
    (types) => process.send?.(types),
    () => process.send?.([]),
  );
});
