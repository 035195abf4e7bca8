/**
 * Element types as they lie in memory. Multi-byte elements are little-endian; elements of 2 and 4 bits are
 * packed, the first one in the lowest bits, as ONNX lays them out.
 */
const BITS: Readonly<Record<string, number>> = {
  bool: 8,
  i2: 2,
  u2: 2,
  i4: 4,
  u4: 4,
  f4e2m1: 4,
  i8: 8,
  u8: 8,
  f8e4m3fn: 8,
  f8e4m3fnuz: 8,
  f8e5m2: 8,
  f8e5m2fnuz: 8,
  f8e8m0: 8,
  i16: 16,
  u16: 16,
  f16: 16,
  bf16: 16,
  i32: 32,
  u32: 32,
  f32: 32,
  i64: 64,
  u64: 64,
  f64: 64,
  c64: 64,
  c128: 128,
};

/** Bits of one element, or undefined for a type without a fixed width (`string`) or an unknown one. */
export function bitsOf(dtype: string): number | undefined {
  return BITS[dtype];
}

/** Bytes that `count` elements take, a last half-used byte included. */
export function byteLengthOf(dtype: string, count: number): number {
  return Math.ceil((count * (BITS[dtype] ?? 0)) / 8);
}

export function isFloat(dtype: string): boolean {
  return dtype.startsWith('f') || dtype.startsWith('bf') || dtype.startsWith('c');
}

type SmallFloat = {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** `ieee`: the top exponent is Inf and NaN. `fn`: all ones is NaN, no Inf. `fnuz`: only 0x80 is NaN. `finite`: neither. */
  readonly specials: 'ieee' | 'fn' | 'fnuz' | 'finite';
};

const SMALL_FLOATS: Readonly<Record<string, SmallFloat>> = {
  f16: { exponentBits: 5, mantissaBits: 10, bias: 15, specials: 'ieee' },
  bf16: { exponentBits: 8, mantissaBits: 7, bias: 127, specials: 'ieee' },
  f8e4m3fn: { exponentBits: 4, mantissaBits: 3, bias: 7, specials: 'fn' },
  f8e4m3fnuz: { exponentBits: 4, mantissaBits: 3, bias: 8, specials: 'fnuz' },
  f8e5m2: { exponentBits: 5, mantissaBits: 2, bias: 15, specials: 'ieee' },
  f8e5m2fnuz: { exponentBits: 5, mantissaBits: 2, bias: 16, specials: 'fnuz' },
  f4e2m1: { exponentBits: 2, mantissaBits: 1, bias: 1, specials: 'finite' },
};

function decodeSmallFloat(code: number, format: SmallFloat): number {
  const { exponentBits, mantissaBits, bias, specials } = format;
  const magnitude = code & ((1 << (exponentBits + mantissaBits)) - 1);
  const negative = code !== magnitude;
  const exponent = magnitude >> mantissaBits;
  const mantissa = magnitude & ((1 << mantissaBits) - 1);
  const top = (1 << exponentBits) - 1;
  const fullMantissa = (1 << mantissaBits) - 1;
  if (specials === 'fnuz' && negative && magnitude === 0) return Number.NaN;
  if (specials === 'fn' && exponent === top && mantissa === fullMantissa) return Number.NaN;
  const sign = negative ? -1 : 1;
  if (specials === 'ieee' && exponent === top) return mantissa === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits);
  return sign * (1 + mantissa / (1 << mantissaBits)) * 2 ** (exponent - bias);
}

const tables = new Map<string, Float32Array>();

/** Values by bit pattern of a floating-point type of at most 16 bits; undefined for every other type. */
export function decodeTable(dtype: string): Float32Array | undefined {
  const cached = tables.get(dtype);
  if (cached) return cached;
  const format = SMALL_FLOATS[dtype];
  if (!format && dtype !== 'f8e8m0') return undefined;
  const table = new Float32Array(2 ** (BITS[dtype] ?? 0));
  for (let code = 0; code < table.length; code++)
    table[code] = format ? decodeSmallFloat(code, format) : code === 255 ? Number.NaN : 2 ** (code - 127);
  tables.set(dtype, table);
  return table;
}

const scratch = new DataView(new ArrayBuffer(8));

/** The f32 bit pattern of a number, after rounding it to f32. */
function f32Bits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

/** Rounds to bfloat16, ties to even. The number is taken as f32 first, as every framework does. */
export function encodeBf16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  const bits = f32Bits(value);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Rounds to IEEE half precision, ties to even; past 65,504 (plus half a step) it is an infinity. */
export function encodeF16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  const steps = roundHalfEven(magnitude * 2 ** (10 - exponent));
  return sign | (((exponent + 14) << 10) + steps);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
  return floor % 2 === 0 ? floor : floor + 1;
}
