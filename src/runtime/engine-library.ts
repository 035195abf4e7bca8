import { existsSync } from 'node:fs';
import { join } from 'node:path';
import koffi, { type KoffiFunc, type LibraryHandle } from 'koffi';
import { CompileError } from '../support/diagnostic.js';
import { bitsOf } from '../support/element-formats.js';
import { dtypeOfDlpack, type PortType } from './tensor-frame.js';

export const LIBRARY_FILE = 'libmodel.so';

/** What loads the library. */
export const loaderVersion = `koffi ${koffi.version}`;
const ABI_VERSION = 1;

type Pointer = bigint;
type Status = number;
export const status = { ok: 0, shapeUnknown: 2 } as const;

/** koffi calls functions on stacks of its own; kernels keep tiles on theirs. */
const STACK_BYTES = 4 << 20;

function giveRoom(): void {
  const { async_stack_size: current = 0, ...others } = koffi.config();
  if (current >= STACK_BYTES) return;
  try {
    koffi.config({ ...others, async_stack_size: STACK_BYTES });
  } catch {
    throw new CompileError(
      'small-stacks',
      'this program loaded a library by koffi before its first engine, with stacks that are too small for engines',
      `open an engine first, or call koffi.config({ async_stack_size: ${STACK_BYTES} }) before loading`,
    );
  }
}

function bind(library: LibraryHandle) {
  const tensors = ['void *', 'void *', 'int32_t', 'void *', 'int32_t'];
  return {
    abiVersion: library.func('ait_abi_version', 'uint32_t', []) as () => number,
    lastError: library.func('ait_last_error', 'str', []) as () => string,
    open: library.func('ait_engine_open', 'int32_t', ['str', 'str', 'void *', 'void *']) as (
      directory: string,
      segment: string,
      options: null,
      engine: BigUint64Array,
    ) => Status,
    close: library.func('ait_engine_close', 'void', ['void *']) as (engine: Pointer) => void,
    inputCount: library.func('ait_input_count', 'int32_t', ['void *']) as (engine: Pointer) => number,
    outputCount: library.func('ait_output_count', 'int32_t', ['void *']) as (engine: Pointer) => number,
    inputInfo: library.func('ait_input_info', 'int32_t', ['void *', 'int32_t', 'void *']) as PortQuery,
    outputInfo: library.func('ait_output_info', 'int32_t', ['void *', 'int32_t', 'void *']) as PortQuery,
    createContext: library.func('ait_context_create', 'int32_t', ['void *', 'void *', 'void *']) as (
      engine: Pointer,
      options: Int32Array,
      context: BigUint64Array,
    ) => Status,
    destroyContext: library.func('ait_context_destroy', 'void', ['void *']) as (context: Pointer) => void,
    contextError: library.func('ait_context_error', 'str', ['void *']) as (context: Pointer) => string,
    outputShapes: library.func('ait_output_shapes', 'int32_t', tensors) as RunFunction,
    run: library.func('ait_run', 'int32_t', tensors) as KoffiFunc<RunFunction>,
  };
}

type PortQuery = (engine: Pointer, index: number, port: Uint8Array) => Status;
type RunFunction = (
  handle: Pointer,
  inputs: Uint8Array,
  inputCount: number,
  outputs: Uint8Array,
  outputCount: number,
) => Status;

export type EngineFunctions = ReturnType<typeof bind>;

/** libmodel.so of an engine directory, through its C interface. */
export class EngineLibrary {
  readonly functions: EngineFunctions;
  readonly #handle: LibraryHandle;

  constructor(readonly directory: string) {
    const path = join(directory, LIBRARY_FILE);
    if (!existsSync(path))
      throw new CompileError('missing-library', `${path} is missing`, 'convert the model again');
    giveRoom();
    try {
      this.#handle = koffi.load(path);
      this.functions = bind(this.#handle);
    } catch (cause) {
      throw new CompileError(
        'bad-library',
        `${path} cannot be loaded: ${(cause as Error).message}`,
        'the file is damaged, or was compiled for another system; convert the model again on this machine',
      );
    }
    const version = this.functions.abiVersion();
    if (version === ABI_VERSION) return;
    this.#handle.unload();
    throw new CompileError(
      'bad-library',
      `${path} has version ${version} of the interface, and this version of ait-convert speaks ${ABI_VERSION}`,
      'convert the model again',
    );
  }

  /** Opens a segment. */
  open(segment: string): OpenSegment {
    const handle = new BigUint64Array(1);
    const code = this.functions.open(this.directory, segment, null, handle);
    if (code !== status.ok) throw engineError(code, this.functions.lastError());
    const engine = handle[0]!;
    const { functions } = this;
    return {
      engine,
      inputs: ports(engine, functions.inputCount(engine), functions.inputInfo),
      outputs: ports(engine, functions.outputCount(engine), functions.outputInfo),
    };
  }

  /** No segment may be open any more. */
  unload(): void {
    this.#handle.unload();
  }
}

export interface OpenSegment {
  readonly engine: Pointer;
  readonly inputs: readonly PortType[];
  readonly outputs: readonly PortType[];
}

/** `struct ait_port`: name, dtype, onnx_type, rank, extents. */
function ports(engine: Pointer, count: number, query: PortQuery): readonly PortType[] {
  return Array.from({ length: count }, (_, index) => {
    const bytes = new Uint8Array(32);
    query(engine, index, bytes);
    const view = new DataView(bytes.buffer);
    const [code, bits] = [view.getUint8(8), view.getUint8(9)];
    const dtype = dtypeOfDlpack(code, bits);
    if (dtype === undefined)
      throw new CompileError('bad-library', `the library has a port of the unknown type ${code}.${bits}`);
    const width = (bitsOf(dtype) ?? 8) / (dtype.startsWith('c') ? 16 : 8);
    const name = koffi.decode(view.getBigUint64(0, true), 'char', -1) as string;
    return { name, dtype, rank: view.getInt32(16, true), alignment: Math.max(1, width) };
  });
}

const CODES: Readonly<Record<number, string>> = {
  1: 'bad-input',
  3: 'unsupported-cpu',
  4: 'damaged-weights',
  5: 'out-of-memory',
  6: 'run-failed',
  7: 'no-device',
  8: 'device-failed',
};

/** The engine's sentence as an error; its hint, after a semicolon, stays in the sentence. */
export function engineError(code: Status, message: string): CompileError {
  return new CompileError(CODES[code] ?? 'run-failed', message);
}
