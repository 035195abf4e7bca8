import { CompileError } from '../support/diagnostic.js';
import { bitsOf, byteLengthOf, encodeBf16, encodeF16 } from '../support/element-formats.js';
import { elementCount, type TensorData } from '../support/tensor-data.js';
import { Xoshiro128 } from './random.js';

export type InputSpec = {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The range to draw from, both ends included. Floats without one are standard normal. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
};

/** Where nothing is known about an integer: bytes are whole images, everything else is an index into a table of at least two. */
const INTEGER_RANGES: Readonly<Record<string, readonly [number, number]>> = { u8: [0, 255], i8: [-128, 127] };

/** Inputs that depend on the seed and on each input's name, type, shape and range, and on nothing else. */
export function seededInputs(specs: Iterable<InputSpec>, seed = 0): Map<string, TensorData> {
  return new Map([...specs].map((spec) => [spec.name, seededTensor(spec, seed)]));
}

export function seededTensor(spec: InputSpec, seed = 0): TensorData {
  const { dtype, shape } = spec;
  const random = Xoshiro128.seeded(seed, spec.name);
  const count = elementCount(shape);
  const draw = numberSource(spec, random);
  if (dtype === 'string')
    return {
      dtype,
      shape,
      bytes: new Uint8Array(),
      strings: Array.from({ length: count }, () => `w${draw()}`),
    };
  const bytes = new Uint8Array(byteLengthOf(dtype, count));
  fill(spec, bytes, count, draw);
  return { dtype, shape, bytes };
}

function numberSource({ dtype, low, high }: InputSpec, random: Xoshiro128): () => number {
  const given = low !== undefined || high !== undefined;
  if (/^(f|bf|c)/.test(dtype)) {
    if (!given) return () => random.normal();
    const from = low ?? Math.min(0, high ?? 0);
    const width = (high ?? Math.max(1, from)) - from;
    return () => from + random.unit() * width;
  }
  if (dtype === 'bool') return () => random.integer(low ?? 0, high ?? 1);
  const [first, last] = INTEGER_RANGES[dtype] ?? [0, 1];
  const from = Math.ceil(low ?? Math.min(first, high ?? first));
  const to = Math.max(from, Math.floor(high ?? Math.max(last, from)));
  return () => random.integer(from, to);
}

function fill({ name, dtype }: InputSpec, bytes: Uint8Array, count: number, draw: () => number): void {
  const words = wordsOf(dtype, bytes.buffer);
  if (words) {
    const encode = dtype === 'f16' ? encodeF16 : dtype === 'bf16' ? encodeBf16 : (value: number) => value;
    for (let i = 0; i < words.length; i++) words[i] = encode(draw());
    return;
  }
  if (dtype === 'i64' || dtype === 'u64') {
    const wide = new BigInt64Array(bytes.buffer);
    for (let i = 0; i < count; i++) wide[i] = BigInt(draw());
    return;
  }
  const bits = bitsOf(dtype);
  if (bits === undefined || bits > 8 || dtype.startsWith('f'))
    throw new CompileError(
      'bad-tensor',
      `no random input of type ${dtype} can be made for "${name}"`,
      'give the input with --input',
    );
  const mask = (1 << bits) - 1;
  for (let i = 0; i < count; i++) bytes[(i * bits) >> 3]! |= (draw() & mask) << ((i * bits) & 7);
}

/** A view that takes the encoded numbers as they are; negative integers wrap to their two's complement. */
function wordsOf(dtype: string, buffer: ArrayBufferLike) {
  switch (dtype) {
    case 'f32':
    case 'c64':
      return new Float32Array(buffer);
    case 'f64':
    case 'c128':
      return new Float64Array(buffer);
    case 'f16':
    case 'bf16':
    case 'i16':
    case 'u16':
      return new Uint16Array(buffer);
    case 'i32':
    case 'u32':
      return new Uint32Array(buffer);
    default:
      return undefined;
  }
}
