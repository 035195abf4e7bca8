import { exportOnnx } from '../importers/onnx/export.js';
import { inputBounds } from '../lowering/input-bounds.js';
import { compareTensors } from '../src/accuracy/metrics.js';
import { type InputSpec, seededInputs } from '../src/accuracy/seeded-inputs.js';
import { type ToleranceOptions, toleranceFor } from '../src/accuracy/tolerance.js';
import { isStatic, substitute, symbolsOf } from '../src/ir/dim.js';
import { type Graph, inputName, tensorOf } from '../src/ir/graph.js';
import { encodeModel } from '../src/onnx/encode.js';
import type { OnnxruntimeProcess } from '../src/runtime/reference.js';
import { decoderOf, elementCount, type TensorData } from '../src/support/tensor-data.js';

export type Feeds = Map<string, TensorData>;

/** Seeded inputs for a graph: a symbol gets a small size of its own, integers stay inside the tables they index. */
export function feedsFor(g: Graph, seed: number): Feeds {
  const sizes = new Map<string, number>();
  const sizeOf = (key: string, min: number, max: number): number => {
    let n = sizes.get(key);
    if (n === undefined) {
      n = Math.min(Math.max(3 + ((sizes.size + seed) % 4), min), max);
      sizes.set(key, n);
    }
    return n;
  };
  const bounds = inputBounds(g);
  const specs = g.inputs.map((v): InputSpec => {
    const { dtype, shape } = tensorOf(v);
    const known = shape.map((d) =>
      substitute(d, new Map([...symbolsOf(d).values()].map((s) => [s.key, sizeOf(s.key, s.min, s.max)]))),
    );
    if (!isStatic(known)) throw new TypeError(`${inputName(v)} has an extent that is not a number`);
    const below = bounds.get(v);
    return {
      name: inputName(v),
      dtype,
      shape: known,
      ...(below === undefined ? {} : { low: 0, high: below - 1 }),
    };
  });
  return seededInputs(specs, seed);
}

/** What onnxruntime computes of a graph. */
export const resultsOf = (g: Graph, feeds: Feeds, reference: OnnxruntimeProcess): Promise<Feeds> =>
  reference.run(encodeModel(exportOnnx(g)), feeds);

/** The last bit of a tensor's largest element: sums that cancel are not better than that. */
function unitsOf({ dtype, shape, bytes }: TensorData): number {
  const decode = decoderOf(dtype, bytes);
  if (!decode || !/^(f|bf)/.test(dtype)) return 0;
  const values = new Float64Array(elementCount(shape));
  decode(0, values.length, values);
  const largest = values.reduce((max, x) => (Number.isFinite(x) ? Math.max(max, Math.abs(x)) : max), 0);
  return largest * (dtype === 'f16' ? 2 ** -10 : dtype === 'bf16' ? 2 ** -7 : 2 ** -23);
}

/** Rounding happens at every operator, not only where the estimate of the noise moves something. */
const noiseFactor = 8;

/** Where two results differ by more than rounding explains, a sentence each. */
export function differences(
  actual: Feeds,
  expected: Feeds,
  scale: ToleranceOptions = { accumulation: 256, depth: 4 },
  noise: ReadonlyMap<string, number> = new Map(),
): readonly string[] {
  return [...expected].flatMap(([name, tensor]) => {
    const got = actual.get(name);
    if (!got) return [`${name} is missing`];
    const { atol, rtol } = toleranceFor(tensor, scale);
    const c = compareTensors(got, tensor, {
      atol: Math.max(atol, 4 * unitsOf(tensor), noiseFactor * (noise.get(name) ?? 0)),
      rtol,
    });
    if (c.pass) return [];
    return [`${name}: ${c.problem ?? `${c.outside} of ${c.elements} elements differ, by up to ${c.maxAbs}`}`];
  });
}

/** Whether a pass kept what a graph computes: both run on onnxruntime on the same random inputs. */
export async function sameMeaning(
  before: Graph,
  after: Graph,
  seed: number,
  reference: OnnxruntimeProcess,
): Promise<readonly string[]> {
  const feeds = feedsFor(before, seed);
  return differences(await resultsOf(after, feeds, reference), await resultsOf(before, feeds, reference));
}
