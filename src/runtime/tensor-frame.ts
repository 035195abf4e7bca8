import koffi from 'koffi';
import { alignedBytes, type TensorData } from '../support/tensor-data.js';

/** DLPack's type code and bits of the element types, as `dlpack.h` of the engine numbers them. */
const DLPACK: Readonly<Record<string, readonly [code: number, bits: number]>> = {
  i2: [0, 2],
  i4: [0, 4],
  i8: [0, 8],
  i16: [0, 16],
  i32: [0, 32],
  i64: [0, 64],
  u2: [1, 2],
  u4: [1, 4],
  u8: [1, 8],
  u16: [1, 16],
  u32: [1, 32],
  u64: [1, 64],
  f16: [2, 16],
  f32: [2, 32],
  f64: [2, 64],
  bf16: [4, 16],
  c64: [5, 64],
  c128: [5, 128],
  bool: [6, 8],
  f8e4m3fn: [10, 8],
  f8e4m3fnuz: [11, 8],
  f8e5m2: [12, 8],
  f8e5m2fnuz: [13, 8],
  f8e8m0: [14, 8],
  f4e2m1: [17, 4],
};

const names = new Map(Object.entries(DLPACK).map(([name, [code, bits]]) => [(code << 8) | bits, name]));

export function dtypeOfDlpack(code: number, bits: number): string | undefined {
  return names.get((code << 8) | bits);
}

const TENSOR_BYTES = 48;
const CPU = 1;
const at = { data: 0, device: 8, rank: 16, code: 20, bits: 21, lanes: 22, shape: 24 } as const;

/** An array of `ait_tensor` structs of known types and ranks, with room for their shapes. */
export class TensorFrame {
  readonly structs: Uint8Array;
  readonly #view: DataView;
  readonly #shapes: BigInt64Array;
  readonly #starts: readonly number[];
  /** What the structs point to, kept from the garbage collector. */
  readonly #held: (Uint8Array | undefined)[];

  constructor(readonly ports: readonly PortType[]) {
    this.structs = new Uint8Array(Buffer.allocUnsafeSlow(ports.length * TENSOR_BYTES).fill(0).buffer);
    this.#view = new DataView(this.structs.buffer);
    this.#starts = ports.map((_, i) => ports.slice(0, i).reduce((sum, { rank }) => sum + rank, 0));
    this.#shapes = new BigInt64Array(ports.reduce((sum, { rank }) => sum + rank, 1));
    this.#held = ports.map(() => undefined);
    const shapes = koffi.address(this.#shapes);
    ports.forEach(({ dtype, rank }, i) => {
      const base = i * TENSOR_BYTES;
      const [code, bits] = DLPACK[dtype]!;
      this.#view.setInt32(base + at.device, CPU, true);
      this.#view.setInt32(base + at.rank, rank, true);
      this.#view.setUint8(base + at.code, code);
      this.#view.setUint8(base + at.bits, bits);
      this.#view.setUint16(base + at.lanes, 1, true);
      this.#view.setBigUint64(base + at.shape, shapes + BigInt(this.#starts[i]! * 8), true);
    });
  }

  /** Types and ranks must be the port's. */
  setInput(i: number, { shape, bytes }: TensorData): void {
    shape.forEach((extent, axis) => {
      this.#shapes[this.#starts[i]! + axis] = BigInt(extent);
    });
    this.setMemory(i, alignedBytes(bytes, this.ports[i]!.alignment));
  }

  /** Memory for an output, or none: then the engine gives its own. */
  setMemory(i: number, bytes: Uint8Array | undefined): void {
    const address = bytes === undefined || bytes.byteLength === 0 ? 0n : koffi.address(bytes);
    this.#held[i] = bytes;
    this.#view.setBigUint64(i * TENSOR_BYTES + at.data, address, true);
  }

  /** Shapes go to this frame's own memory again, after the engine has pointed to its own. */
  ownShapes(): void {
    const shapes = koffi.address(this.#shapes);
    this.#starts.forEach((start, i) => {
      this.#view.setBigUint64(i * TENSOR_BYTES + at.shape, shapes + BigInt(start * 8), true);
    });
  }

  shapeOf(i: number): number[] {
    const start = this.#starts[i]!;
    return Array.from(this.#shapes.subarray(start, start + this.ports[i]!.rank), Number);
  }

  /** The shape the engine points to. */
  givenShapeOf(i: number): number[] {
    const { rank } = this.ports[i]!;
    if (rank === 0) return [];
    const address = this.#view.getBigUint64(i * TENSOR_BYTES + at.shape, true);
    return Array.from(new BigInt64Array(koffi.view(address, rank * 8)), Number);
  }

  /** A copy of the memory the engine points to. */
  copyGiven(i: number, byteLength: number): Uint8Array {
    if (byteLength === 0) return new Uint8Array();
    const address = this.#view.getBigUint64(i * TENSOR_BYTES + at.data, true);
    return new Uint8Array(koffi.view(address, byteLength)).slice();
  }

  /** Lets go of the memory of a run. */
  release(): void {
    this.#held.fill(undefined);
  }
}

export interface PortType {
  readonly name: string;
  readonly dtype: string;
  readonly rank: number;
  /** Bytes whose multiple an address must be. */
  readonly alignment: number;
}
