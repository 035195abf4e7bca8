import type { Precision } from '../lowering/precision.js';
import type { Progress } from './support/progress.js';
import type { TargetName } from './target.js';

/** How a model is converted. Names match the command line's. */
export interface ConvertOptions {
  /** Directory to write. Absent: nothing is written (`--dry-run`). */
  readonly output?: string | undefined;
  readonly force?: boolean | undefined;
  /** What the engine runs on; default the CPU. */
  readonly target?: TargetName | undefined;
  /** Processor, as the compiler's -march names it, default native; or GPUs, sm_80,sm_90a or gfx90a. */
  readonly arch?: string | undefined;
  /** Shapes of inputs; a name in place of a number makes that extent symbolic. */
  readonly shapes?: ReadonlyMap<string, readonly (number | string)[]> | undefined;
  /** Ranges, or with equal ends values, of the dimensions that the model names. */
  readonly dims?: ReadonlyMap<string, { readonly min: number; readonly max: number }> | undefined;
  /** Which program of a PyTorch archive that holds several. */
  readonly program?: string | undefined;
  /** Buffers and inputs that a PyTorch program changes become outputs as well, named `state.` and their own name. */
  readonly stateOutputs?: boolean | undefined;
  /** A JSON file, or a JavaScript module, that says what operators of a PyTorch program are in terms of others. */
  readonly decompositions?: string | undefined;
  /** What a GPU stores floats in; default f16. */
  readonly precision?: Precision | undefined;
  /** On NVIDIA GPUs and in f32, products and convolutions may round their operands to TF32; default false. */
  readonly tf32?: boolean | undefined;
  /** The type of the inputs and outputs of floats; default the model's own. */
  readonly ioPrecision?: Precision | undefined;
  /** Nodes that stay in f32, and exact, whatever the precision, by name. */
  readonly f32Nodes?: readonly string[] | undefined;
  readonly fallbackOps?: readonly string[] | undefined;
  readonly fallbackNodes?: readonly string[] | undefined;
  readonly minBlockSize?: number | undefined;
  /** A node on onnxruntime becomes an error. */
  readonly requireFullCompilation?: boolean | undefined;
  /** Compare with onnxruntime at the end; default true. */
  readonly verify?: boolean | undefined;
  readonly threads?: number | undefined;
  readonly dryRun?: boolean | undefined;
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
}
