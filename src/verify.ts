import { type Comparison, compareTensors, type Tolerance } from './accuracy/metrics.js';
import { type InputSpec, seededInputs } from './accuracy/seeded-inputs.js';
import { toleranceFor } from './accuracy/tolerance.js';
import type { AccuracyRecord, Manifest } from './artifact/manifest.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import type { InferenceSession } from './runtime/session.js';
import { CompileError } from './support/diagnostic.js';
import type { TensorData } from './support/tensor-data.js';

/** What the tolerance of a model follows from, beside the types of its outputs. */
export interface ModelScale {
  /** The longest sum behind any element. */
  readonly accumulation: number;
  /** How many such sums follow one another. */
  readonly depth: number;
  readonly quantised: boolean;
  /** The coarsest float type values are stored in. */
  readonly storage?: string;
}

export interface OutputComparison {
  readonly output: string;
  readonly comparison: Comparison;
  readonly tolerance: Tolerance;
}

/** Sizes tried for extents that nothing tells, in turn, until the reference takes the inputs. */
const guesses: readonly ((symbol: string) => number)[] = [
  (s) => (/batch|^n$|^b$|unk__/i.test(s) ? 1 : 64),
  (s) => (/batch|^n$|^b$|unk__/i.test(s) ? 1 : 224),
  () => 1,
  () => 8,
  (s) => (/batch|^n$|^b$|unk__/i.test(s) ? 1 : 16000),
];

/** Inputs for a manifest's ports; symbols get the sizes of attempt number `attempt`. */
export function inputsFor(manifest: Manifest, seed: number, attempt = 0): Map<string, TensorData> {
  const sizes = new Map<string, number>();
  const guess = guesses[attempt % guesses.length]!;
  const specs = manifest.inputs.map((p): InputSpec => {
    if (!p.shape)
      throw new CompileError(
        'needs-inputs',
        `the input "${p.name}" is ${p.dtype}`,
        'give its value with --input or --data-set',
      );
    const shape = p.shape.map((d) => {
      if (typeof d === 'number') return d;
      let size = sizes.get(d.symbol);
      if (size === undefined) {
        size = Math.min(Math.max(guess(d.symbol), d.min), d.max ?? Number.POSITIVE_INFINITY);
        sizes.set(d.symbol, size);
      }
      return size;
    });
    const range = p.below === undefined ? {} : { low: 0, high: p.below - 1 };
    return { name: p.name, dtype: p.dtype, shape, ...range };
  });
  return seededInputs(specs, seed);
}

/** Seeded inputs that onnxruntime accepts, with its results on them. */
export async function referenceRun(
  manifest: Manifest,
  model: string | Uint8Array,
  reference: OnnxruntimeProcess,
  seed: number,
): Promise<{ readonly feeds: Map<string, TensorData>; readonly outputs: Map<string, TensorData> }> {
  const symbolic = manifest.inputs.some((p) => p.shape?.some((d) => typeof d !== 'number'));
  const attempts = symbolic ? guesses.length : 1;
  for (let i = 0; ; i++) {
    const feeds = inputsFor(manifest, seed, i);
    try {
      return { feeds, outputs: await reference.run(model, feeds) };
    } catch (e) {
      if (i + 1 >= attempts || !(e instanceof CompileError) || e.code !== 'reference-failed') throw e;
    }
  }
}

/** Compares a session with reference results, output by output. */
export async function compareOutputs(
  session: InferenceSession,
  feeds: ReadonlyMap<string, TensorData>,
  expected: ReadonlyMap<string, TensorData>,
  scale: ModelScale,
  asked: { readonly atol?: number; readonly rtol?: number } = {},
): Promise<readonly OutputComparison[]> {
  const actual = await session.runData(feeds);
  return [...expected].map(([output, reference]) => {
    const tolerance = toleranceFor(reference, { ...scale, ...asked });
    return { output, tolerance, comparison: compareTensors(actual.get(output)!, reference, tolerance) };
  });
}

export const accuracyRecord = ({ output, comparison: c, tolerance }: OutputComparison): AccuracyRecord => ({
  output,
  maxAbsolute: c.maxAbs,
  maxRelative: c.maxRel,
  cosine: c.cosine,
  tolerance,
  pass: c.pass,
});
