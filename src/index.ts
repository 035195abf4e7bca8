/**
 * Compiles trained models into engine directories, and runs them.
 *
 *     import { convert, InferenceSession, Tensor } from 'ait-convert';
 *     await convert('model.onnx', { output: 'engine' });
 *     const session = await InferenceSession.create('engine');
 *     const { y } = await session.run({ x: new Tensor('float32', data, [1, 3, 224, 224]) });
 *
 * Errors that the caller can act on are `CompileError`s: `code` for programs, `message` and `hint` for people.
 */

export type {
  DecomposedNode,
  Decomposition,
  Step as DecompositionStep,
  StepValue,
} from '../importers/fx/decompositions.js';
export type {
  Decision,
  LowererOptions,
  Partition,
} from '../lowering/ait-lowerer.js';
export { AITLowerer } from '../lowering/ait-lowerer.js';
export type { Comparison, Tolerance } from './accuracy/metrics.js';
export type { Report } from './accuracy/report.js';
export { renderReport } from './accuracy/report-html.js';
export type { Manifest } from './artifact/manifest.js';
export { readManifest } from './artifact/read-manifest.js';
export { type Bench, type BenchOptions, bench, type Timing } from './bench.js';
export { type Conversion, convert } from './compile.js';
export { type Diff, type DiffOptions, diff } from './diff.js';
export { type Check, doctor } from './doctor.js';
export { exportModel, type ModelExport } from './export-model.js';
export { type InputOptions, readTensor } from './inputs.js';
export { type Inspection, inspect } from './inspect.js';
export type { ConvertOptions } from './options.js';
export { reportOf } from './report-of.js';
export { type RunOptions, type RunResult, run } from './run.js';
export {
  type Feeds,
  type Fetches,
  InferenceSession,
  type SessionOptions,
  Tensor,
  type ValueMetadata,
} from './runtime/session.js';
export { CompileError } from './support/diagnostic.js';
export { Progress, type ProgressOptions, type StageTime } from './support/progress.js';
export type { TensorData } from './support/tensor-data.js';
export type { OutputComparison } from './verify.js';
export { toolVersion } from './version.js';
