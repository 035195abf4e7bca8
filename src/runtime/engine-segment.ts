import { CompileError } from '../support/diagnostic.js';
import { byteLengthOf } from '../support/element-formats.js';
import { elementCount, type TensorData } from '../support/tensor-data.js';
import {
  type EngineFunctions,
  type EngineLibrary,
  engineError,
  type OpenSegment,
  status,
} from './engine-library.js';
import { TensorFrame } from './tensor-frame.js';

interface Context {
  readonly pointer: bigint;
  readonly inputs: TensorFrame;
  readonly outputs: TensorFrame;
}

/** Node's own pool has four threads, so more runs at once would only wait, and hold memory meanwhile. */
const MOST_CONTEXTS = 4;

/** Handing a call to another thread and back takes about 0.05 ms: shorter runs than this stay on the caller's. */
const SHORT_MS = 0.1;

/** A compiled segment. Runs may overlap: each has a context of its own, and waits for one when there are many. */
export class EngineSegment {
  readonly #functions: EngineFunctions;
  readonly #segment: OpenSegment;
  readonly #idle: Context[] = [];
  readonly #waiting: ((context: Context) => void)[] = [];
  #contexts = 0;
  /** Bytes of input of the last short run: those of that size need not leave the calling thread. */
  #shortBytes = -1;

  constructor(
    library: EngineLibrary,
    name: string,
    readonly threads: number,
    /** Every run stays on the calling thread, which has nothing else to do. */
    readonly blocking: boolean,
  ) {
    this.#functions = library.functions;
    this.#segment = library.open(name);
  }

  async run(inputs: readonly TensorData[]): Promise<readonly TensorData[]> {
    this.#check(inputs);
    const context = await this.#take();
    try {
      inputs.forEach((tensor, i) => {
        context.inputs.setInput(i, tensor);
      });
      const known = this.#giveMemory(context);
      const code = await this.#call(context, inputs);
      if (code !== status.ok) throw engineError(code, this.#functions.contextError(context.pointer));
      return known ?? this.#copyOutputs(context);
    } finally {
      context.inputs.release();
      context.outputs.release();
      this.#give(context);
    }
  }

  /** No run may be in progress. */
  close(): void {
    for (const { pointer } of this.#idle) this.#functions.destroyContext(pointer);
    this.#idle.length = 0;
    this.#functions.close(this.#segment.engine);
  }

  /** What a frame relies on; extents are the library's to check. */
  #check(inputs: readonly TensorData[]): void {
    this.#segment.inputs.forEach(({ name, dtype, rank }, i) => {
      const given = inputs[i];
      if (given?.dtype === dtype && given.shape.length === rank) return;
      const found = given === undefined ? 'nothing' : `${given.dtype}[${given.shape.join(', ')}]`;
      throw new CompileError('bad-input', `"${name}" is ${found}, expected ${dtype} of ${rank} dimensions`);
    });
  }

  /** Outputs with memory of their own, where the shapes are known before the run. */
  #giveMemory({ inputs, outputs }: Context): readonly TensorData[] | undefined {
    const { engine, outputs: ports } = this.#segment;
    outputs.ownShapes();
    const counts = [inputs.ports.length, ports.length] as const;
    const code = this.#functions.outputShapes(engine, inputs.structs, counts[0], outputs.structs, counts[1]);
    if (code === status.shapeUnknown) {
      ports.forEach((_, i) => {
        outputs.setMemory(i, undefined);
      });
      return undefined;
    }
    if (code !== status.ok) throw engineError(code, this.#functions.lastError());
    return ports.map(({ dtype }, i) => {
      const shape = outputs.shapeOf(i);
      const bytes = uninitialized(byteLengthOf(dtype, elementCount(shape)));
      outputs.setMemory(i, bytes);
      return { dtype, shape, bytes };
    });
  }

  async #call({ pointer, inputs, outputs }: Context, feeds: readonly TensorData[]): Promise<number> {
    const { run } = this.#functions;
    const args = [pointer, inputs.structs, feeds.length, outputs.structs, outputs.ports.length] as const;
    const bytes = feeds.reduce((sum, tensor) => sum + tensor.bytes.byteLength, 0);
    const stay = this.blocking || bytes === this.#shortBytes;
    const start = performance.now();
    const code = stay
      ? run(...args)
      : await new Promise<number>((resolve, reject) => {
          run.async(...args, (error: Error | null, result: number) =>
            error ? reject(error) : resolve(result),
          );
        });
    const elapsed = performance.now() - start;
    this.#shortBytes = elapsed < (stay ? SHORT_MS : 2 * SHORT_MS) ? bytes : -1;
    return code;
  }

  #copyOutputs({ outputs }: Context): readonly TensorData[] {
    return this.#segment.outputs.map(({ dtype }, i) => {
      const shape = outputs.givenShapeOf(i);
      return { dtype, shape, bytes: outputs.copyGiven(i, byteLengthOf(dtype, elementCount(shape))) };
    });
  }

  async #take(): Promise<Context> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#contexts >= MOST_CONTEXTS) return new Promise((resolve) => this.#waiting.push(resolve));
    const handle = new BigUint64Array(1);
    // struct ait_context_options: its size, the threads.
    const code = this.#functions.createContext(
      this.#segment.engine,
      new Int32Array([8, this.threads]),
      handle,
    );
    if (code !== status.ok) throw engineError(code, this.#functions.lastError());
    this.#contexts++;
    return {
      pointer: handle[0]!,
      inputs: new TensorFrame(this.#segment.inputs),
      outputs: new TensorFrame(this.#segment.outputs),
    };
  }

  #give(context: Context): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(context);
    else next(context);
  }
}

/** Memory of its own (not of Node's pool), not cleared: the engine writes all of it. */
function uninitialized(bytes: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(bytes);
  return new Uint8Array(buffer, byteOffset, bytes);
}
