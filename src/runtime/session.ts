import { Tensor } from 'onnxruntime-common';
import { carriersOf, containerOf, packed, unpacked } from '../artifact/container.js';
import type { Manifest, Port } from '../artifact/manifest.js';
import { readManifest } from '../artifact/read-manifest.js';
import { checkWeightsSize, verifyWeights } from '../artifact/weights.js';
import { CompileError } from '../support/diagnostic.js';
import type { TensorData } from '../support/tensor-data.js';
import { isTensorData, type ValueData } from '../support/value-data.js';
import { checkFeeds, checkGuards } from './feeds.js';
import { OffloadedPipeline } from './offloaded-pipeline.js';
import { dtypeOfOrt, fromOrt, ortTypeOf, toOrt } from './ort-tensor.js';
import { Pipeline, type Runner } from './pipeline.js';
import { defaultThreads } from './threads.js';

export interface SessionOptions {
  /** Default: `AIT_THREADS`, else the physical cores this process may use. */
  readonly threads?: number;
  /** Whether every weight is compared with its checksum on opening. Default: the file's size alone is checked. */
  readonly verify?: boolean;
  /**
   * Whether a model with fallback steps runs in a thread of its own. By default it does unless its fallback is
   * over in less than the tenth of a millisecond that the hand-over takes; onnxruntime blocks the event loop.
   */
  readonly offload?: boolean;
}

/** As onnxruntime describes a value; `type` has our own name where onnxruntime has none (`bf16`). */
export type ValueMetadata =
  | {
      readonly name: string;
      readonly isTensor: true;
      readonly type: string;
      readonly shape: readonly (number | string)[];
    }
  | { readonly name: string; readonly isTensor: false };

export type Feeds = Readonly<Record<string, Tensor>>;
/** Names of outputs; or an object with a tensor to write into, or null, for each of them. */
export type Fetches = readonly string[] | Readonly<Record<string, Tensor | null>>;

/** Floating-point operations that take onnxruntime about as long as handing a run to a thread and back. */
const shortFallback = 4e6;

const isLong = ({ steps }: Manifest): boolean => {
  const fallback = steps.filter((step) => step.kind === 'fallback');
  return (
    fallback.length > 0 && fallback.reduce((sum, step) => sum + (step.work ?? Infinity), 0) > shortFallback
  );
};

/** Runs an engine directory. The surface is that of onnxruntime's `InferenceSession`. */
export class InferenceSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly ValueMetadata[];
  readonly outputMetadata: readonly ValueMetadata[];
  readonly #runner: Runner;
  readonly #running = new Set<Promise<unknown>>();
  #disposed = false;

  private constructor(
    readonly manifest: Manifest,
    runner: Runner,
  ) {
    this.#runner = runner;
    this.inputNames = manifest.inputs.map(({ name }) => name);
    this.outputNames = manifest.outputs.map(({ name }) => name);
    this.inputMetadata = manifest.inputs.map(metadataOf);
    this.outputMetadata = manifest.outputs.map(metadataOf);
  }

  static async create(directory: string, options: SessionOptions = {}): Promise<InferenceSession> {
    const manifest = await readManifest(directory);
    const threads = options.threads ?? defaultThreads();
    if (!Number.isInteger(threads) || threads < 1)
      throw new CompileError('bad-option', `threads is ${threads}, expected a whole number of at least 1`);
    await (options.verify === true ? verifyWeights : checkWeightsSize)(directory, manifest);
    const offload = options.offload ?? isLong(manifest);
    const runner = offload
      ? await OffloadedPipeline.open({ directory, manifest, threads })
      : await Pipeline.open(directory, manifest, { threads, blocking: false });
    return new InferenceSession(manifest, runner);
  }

  /** Feeds must stay as they are until the outputs are there. Runs may overlap. */
  async run(feeds: Feeds, fetches?: Fetches): Promise<Record<string, Tensor>> {
    const given = new Map(Object.entries(feeds).map(([name, tensor]) => [name, fromPublic(name, tensor)]));
    const places = fetches === undefined || isList(fetches) ? {} : fetches;
    const names = fetches === undefined ? undefined : isList(fetches) ? fetches : Object.keys(fetches);
    for (const name of names ?? this.outputNames) this.#refuseUnrepresentable(name);
    const outputs = await this.runData(given, names);
    return Object.fromEntries(
      [...outputs].map(([name, data]) => [name, written(name, data, places[name] ?? undefined)]),
    );
  }

  /** The same with tensors of every element type, as bytes. */
  async runData(
    feeds: ReadonlyMap<string, TensorData>,
    fetches: readonly string[] = this.outputNames,
  ): Promise<Map<string, TensorData>> {
    const outputs = await this.runAny(feeds, fetches);
    return new Map([...outputs].map(([name, value]) => [name, this.#tensor(name, value)]));
  }

  /** The same with sequences and optionals as well. */
  async runAny(
    feeds: ReadonlyMap<string, ValueData>,
    fetches: readonly string[] = this.outputNames,
  ): Promise<Map<string, ValueData>> {
    if (this.#disposed) throw new CompileError('disposed', 'the session was disposed of');
    const ports = fetches.map((name) => this.#output(name));
    checkFeeds(this.manifest.inputs, feeds);
    checkGuards(this.manifest.guards, feeds);
    const given = this.manifest.inputs.flatMap((port) => carried(port, feeds.get(port.name)!));
    const running = this.#runner.run(new Map(given), ports.flatMap(carriersOf));
    this.#running.add(running);
    try {
      const results = await running;
      return new Map(ports.map((port) => [port.name, assembled(port, results, given)]));
    } finally {
      this.#running.delete(running);
    }
  }

  /** Values between the steps as well, by the manifest's names, for finding the step that is wrong. */
  async runValues(
    feeds: ReadonlyMap<string, TensorData>,
    values: readonly string[],
  ): Promise<ReadonlyMap<string, TensorData>> {
    const given = this.manifest.inputs.map(({ name, value }) => [value, feeds.get(name)!] as const);
    return this.#runner.run(new Map(given), values);
  }

  /** Waits for the runs in progress and frees everything. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await Promise.allSettled(this.#running);
    await this.#runner.close();
  }

  /** onnxruntime's name for `dispose`. */
  release(): Promise<void> {
    return this.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #tensor(name: string, value: ValueData): TensorData {
    if (isTensorData(value)) return value;
    const { dtype } = this.#output(name);
    throw new CompileError('output-type', `the output "${name}" is ${dtype}, not a tensor`, 'use runAny');
  }

  #output(name: string): Port {
    const port = this.manifest.outputs.find((output) => output.name === name);
    if (port !== undefined) return port;
    const names = this.outputNames.map((known) => `"${known}"`).join(', ');
    throw new CompileError('unknown-output', `the model has no output "${name}"`, `it has ${names}`);
  }

  #refuseUnrepresentable(name: string): void {
    const { dtype } = this.#output(name);
    if (ortTypeOf(dtype) !== undefined) return;
    throw new CompileError(
      'output-type',
      `the output "${name}" is ${dtype}, which a Tensor of onnxruntime cannot hold`,
      'fetch other outputs, or use runData',
    );
  }
}

function isList(fetches: Fetches): fetches is readonly string[] {
  return Array.isArray(fetches);
}

function metadataOf({ name, dtype, shape }: Port): ValueMetadata {
  if (shape === undefined) return { name, isTensor: false };
  const extents = shape.map((extent) => (typeof extent === 'number' ? extent : extent.symbol));
  return { name, isTensor: true, type: ortTypeOf(dtype) ?? dtype, shape: extents };
}

function fromPublic(name: string, tensor: Tensor): TensorData {
  if (dtypeOfOrt(tensor.type) === undefined)
    throw new CompileError('input-type', `the input "${name}" is ${tensor.type}`, 'use runData');
  if (tensor.location !== 'cpu')
    throw new CompileError('input-data', `the input "${name}" is not in the memory of the CPU`);
  return fromOrt(tensor);
}

function written(name: string, data: TensorData, place: Tensor | undefined): Tensor {
  const tensor = toOrt(data);
  if (place === undefined) return tensor;
  if (place.type !== tensor.type || place.dims.join() !== tensor.dims.join())
    throw new CompileError(
      'output-type',
      `the output "${name}" is ${tensor.type}[${tensor.dims}], and the tensor given for it ${place.type}[${place.dims}]`,
    );
  const { data: from } = tensor;
  const { data: to } = place;
  if (Array.isArray(from) || Array.isArray(to)) {
    if (Array.isArray(from) && Array.isArray(to)) to.splice(0, to.length, ...from);
  } else new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(data.bytes);
  return place;
}

type Carried = readonly (readonly [value: string, tensor: TensorData])[];

/** A feed as the tensors that carry it. */
function carried(port: Port, feed: ValueData): Carried {
  const container = port.shape === undefined ? containerOf(port.dtype) : undefined;
  const tensors = container ? packed(port.name, feed, container) : isTensorData(feed) ? [feed] : [];
  return carriersOf(port).map((value, i) => [value, tensors[i]!] as const);
}

function assembled(port: Port, results: ReadonlyMap<string, TensorData>, given: Carried): ValueData {
  const tensors = carriersOf(port).map((value) => apart(results.get(value)!, given));
  const container = port.shape === undefined ? containerOf(port.dtype) : undefined;
  return container ? unpacked(tensors, container) : tensors[0]!;
}

/** An output that is an input passed through is a copy of it. */
function apart(output: TensorData, given: Carried): TensorData {
  const shared = given.some(([, { bytes }]) => bytes.buffer === output.bytes.buffer);
  return shared ? { ...output, bytes: output.bytes.slice() } : output;
}

export { Tensor };
