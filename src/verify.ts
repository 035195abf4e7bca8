import { type Comparison, compareTensors, type Tolerance } from './accuracy/metrics.js';
import { Xoshiro128 } from './accuracy/random.js';
import { type InputSpec, seededInputs } from './accuracy/seeded-inputs.js';
import { coarser, toleranceFor } from './accuracy/tolerance.js';
import { type InputSize, violated } from './artifact/guards.js';
import type { AccuracyRecord, Manifest, SymbolicExtent } from './artifact/manifest.js';
import { inModelTypes, inPortTypes } from './port-types.js';
import type { OnnxruntimeProcess } from './runtime/reference.js';
import type { InferenceSession } from './runtime/session.js';
import { CompileError } from './support/diagnostic.js';
import { elementCount, type TensorData } from './support/tensor-data.js';

/** What the tolerance of a model follows from, beside the types of its outputs. */
export interface ModelScale {
  /** The longest sum behind any element. */
  readonly accumulation: number;
  /** How many such sums follow one another. */
  readonly depth: number;
  readonly quantised: boolean;
  /** The coarsest float type values are stored or multiplied in. */
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

/** How many sizes are worth trying for a model. */
export const guessCount = (manifest: Manifest): number =>
  manifest.inputs.some((p) => p.shape?.some((d) => typeof d !== 'number')) ? guesses.length : 1;

/** Elements that one input may have where its extents are guesses: rows times columns soon exhaust the memory. */
const mostGuessed = 2 ** 26;

/** Inputs for a manifest's ports; symbols get the sizes of attempt number `attempt`. */
export function inputsFor(manifest: Manifest, seed: number, attempt = 0): Map<string, TensorData> {
  const sizes = guessedSizes(manifest, guesses[attempt % guesses.length]!);
  const specs = manifest.inputs.map((p): InputSpec => {
    if (!p.shape)
      throw new CompileError(
        'needs-inputs',
        `the input "${p.name}" is ${p.dtype}`,
        'give its value with --input or --data-set',
      );
    const shape = p.shape.map((d) => (typeof d === 'number' ? d : sizes.get(d.symbol)!));
    if (attempt > 0 && elementCount(shape) > mostGuessed)
      throw new CompileError(
        'needs-inputs',
        `no size tried for "${p.name}" suits the model`,
        'give its value with --input or --data-set, or sizes with --dim',
      );
    const range = p.below === undefined ? {} : { low: 0, high: p.below - 1 };
    return { name: p.name, dtype: p.dtype, shape, ...range };
  });
  return seededInputs(specs, seed);
}

/** A size for each symbol, so that the guards hold where small changes of the guess are enough for that. */
function guessedSizes(manifest: Manifest, guess: (symbol: string) => number): ReadonlyMap<string, number> {
  const symbols = new Map<string, SymbolicExtent>();
  for (const p of manifest.inputs)
    for (const d of p.shape ?? []) if (typeof d !== 'number') symbols.set(d.symbol, d);
  const within = (d: SymbolicExtent, size: number): number =>
    Math.min(Math.max(size, d.min), d.max ?? Number.POSITIVE_INFINITY);
  const first = new Map([...symbols].map(([name, d]) => [name, within(d, guess(name))]));
  if (suits(manifest, first)) return first;
  const random = Xoshiro128.seeded(0, 'sizes');
  for (let i = 0; i < mostTries; i++) {
    const scale = 2 + (i % 12) * 12;
    const next = new Map([...symbols].map(([name, d]) => [name, within(d, random.integer(1, scale))]));
    if (suits(manifest, next)) return next;
  }
  return first;
}

const mostTries = 20_000;

function suits({ inputs, guards }: Manifest, sizes: ReadonlyMap<string, number>): boolean {
  const sizeOf = ({ input, axis }: InputSize): number | undefined => {
    const d = axis === undefined ? undefined : inputs.find((p) => p.name === input)?.shape?.[axis];
    return typeof d === 'object' ? sizes.get(d.symbol) : d;
  };
  return violated(guards, sizeOf) === undefined;
}

/** What the reference computes, and how much it depends on rounding that nobody prescribes. */
export interface ReferenceRun {
  readonly feeds: Map<string, TensorData>;
  readonly outputs: Map<string, TensorData>;
  /** By output: the largest change that the last bit of the inputs or another order of operations makes. */
  readonly noise: ReadonlyMap<string, number>;
}

/** Seeded inputs that onnxruntime accepts, with its results on them. */
export async function referenceRun(
  manifest: Manifest,
  model: string | Uint8Array,
  reference: OnnxruntimeProcess,
  seed: number,
): Promise<ReferenceRun> {
  const attempts = guessCount(manifest);
  let failure: unknown;
  for (let i = 0; ; i++) {
    try {
      return await referenceOn(manifest, inputsFor(manifest, seed, i), model, reference);
    } catch (e) {
      const failed = e instanceof CompileError && e.code === 'reference-failed';
      if (!failed && failure !== undefined) throw failure;
      if (!failed || i + 1 >= attempts) throw e;
      failure = e;
    }
  }
}

/** What onnxruntime makes of an engine's inputs, as the engine's outputs. */
export async function referenceOn(
  manifest: Manifest,
  feeds: Map<string, TensorData>,
  model: string | Uint8Array,
  reference: OnnxruntimeProcess,
): Promise<ReferenceRun> {
  const own = inModelTypes(manifest.inputs, feeds);
  const outputs = await reference.run(model, own);
  const noise = await noiseOf(model, own, outputs, reference);
  return { feeds, outputs: inPortTypes(manifest.outputs, outputs), noise };
}

/**
 * How ill-conditioned the model is at these inputs, by experiment: onnxruntime once more with all its
 * optimisations, which round elsewhere, and twice on inputs whose last bits were changed. The largest
 * difference per output estimates what two right implementations may differ by (N. J. Higham, Accuracy and
 * Stability of Numerical Algorithms, 2nd ed., section 1.6: the error is the conditioning times the backward error).
 */
export async function noiseOf(
  model: string | Uint8Array,
  feeds: ReadonlyMap<string, TensorData>,
  outputs: ReadonlyMap<string, TensorData>,
  reference: OnnxruntimeProcess,
): Promise<ReadonlyMap<string, number>> {
  const noise = new Map<string, number>();
  const note = (again: ReadonlyMap<string, TensorData>, share = 1): void => {
    for (const [name, expected] of outputs) {
      const { maxAbs, problem } = compareTensors(again.get(name)!, expected, { atol: 0, rtol: 0 });
      if (problem === undefined) noise.set(name, Math.max(noise.get(name) ?? 0, maxAbs * share));
    }
  };
  const move = (seed: number, ulps: number): Promise<Map<string, TensorData>> =>
    reference.run(model, new Map([...feeds].map(([name, t]) => [name, lastBitsMoved(t, seed, ulps)])));
  note(await reference.run(model, feeds, { optimization: 'all' }));
  for (const seed of [1, 2]) note(await move(seed, 1));
  // A model that rounds to integers first may swallow last bits, but not those that arise behind the rounding:
  // what the first larger move lets through is all of it at once, and not one error of many.
  const movable = [...feeds.values()].some((t) => t.dtype === 'f32');
  const silent = (): boolean => movable && [...noise.values()].every((n) => n === 0);
  for (let ulps = 16; silent() && ulps <= 4096; ulps *= 4)
    for (const seed of [1, 2]) note(await move(seed, ulps), 2 / noiseFactor);
  return noise;
}

/** f32 elements up or down by units in the last place; other types as they are. */
function lastBitsMoved(t: TensorData, seed: number, ulps: number): TensorData {
  if (t.dtype !== 'f32') return t;
  const bytes = t.bytes.slice();
  const bits = new Int32Array(bytes.buffer);
  let state = seed * 0x9e3779b1;
  for (let i = 0; i < bits.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const exponent = (bits[i]! >>> 23) & 255;
    if (exponent > 0 && exponent < 254) bits[i]! += state < 0 ? -ulps : ulps;
  }
  return { ...t, bytes };
}

/** Rounding happens at every operator, not only at the inputs that the noise estimate moves. */
const noiseFactor = 8;

/** Compares a session with reference results, output by output. */
export async function compareOutputs(
  session: InferenceSession,
  { feeds, outputs: expected, noise }: ReferenceRun,
  scale: ModelScale,
  asked: { readonly atol?: number; readonly rtol?: number } = {},
): Promise<readonly OutputComparison[]> {
  const actual = await session.runData(feeds);
  const missing = [...expected.keys()].find((name) => !actual.has(name));
  if (missing !== undefined)
    throw new CompileError(
      'other-model',
      `the engine has no output "${missing}", which the model has as it is read now`,
      'name the options that the engine was made with',
    );
  const modelTypes = new Map(session.manifest.outputs.map((p) => [p.name, p.modelDtype]));
  return [...expected].map(([output, reference]) => {
    // What onnxruntime gave in a coarser type was rounded to that.
    const storage = coarser(scale.storage, modelTypes.get(output));
    const basic = toleranceFor(reference, { ...scale, ...(storage && { storage }), ...asked });
    const atol = asked.atol ?? Math.max(basic.atol, noiseFactor * (noise.get(output) ?? 0));
    const tolerance = { ...basic, atol };
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
