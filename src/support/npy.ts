import { CompileError } from './diagnostic.js';
import { bitsOf } from './element-formats.js';
import { elementCount, malformed, type TensorData, toNumbers } from './tensor-data.js';

/** NumPy's type letters by element type; the number is the item size in bytes. */
const DTYPE_OF: Readonly<Record<string, string>> = {
  b1: 'bool',
  i1: 'i8',
  i2: 'i16',
  i4: 'i32',
  i8: 'i64',
  u1: 'u8',
  u2: 'u16',
  u4: 'u32',
  u8: 'u64',
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
  c8: 'c64',
  c16: 'c128',
  m8: 'i64',
  M8: 'i64',
};

const MAGIC = '\x93NUMPY';
const MAX_HEADER = 1 << 20;

/** Reads a `.npy` file (format 1, 2 or 3) as a row-major little-endian tensor. */
export function parseNpy(file: Uint8Array): TensorData {
  const { descr, fortran, shape, dataStart } = parseHeader(file);
  const [, order, kind, size] =
    /^([<>=|])([a-zA-Z])(\d+)(\[\w+\])?$/.exec(descr) ?? refuse(`its dtype ${descr} is not known`);
  const count = elementCount(shape);
  const width = Number(size) * (kind === 'U' ? 4 : 1);
  const payload = file.subarray(dataStart, dataStart + count * width);
  if (!Number.isSafeInteger(count * width) || payload.byteLength < count * width)
    refuse(`${count} elements of ${width} bytes were announced, ${file.byteLength - dataStart} bytes follow`);

  const rows = fortran && shape.length > 1 ? fromColumnMajor(payload, shape, width) : new Uint8Array(payload);
  const big = order === '>';
  if (kind === 'U' || kind === 'S')
    return { dtype: 'string', shape, bytes: new Uint8Array(), strings: texts(rows, count, width, kind, big) };
  const dtype =
    DTYPE_OF[`${kind}${size}`] ??
    refuse(`its dtype ${descr} has no counterpart in a model`, 'convert the array with astype() first');
  if (big) swapBytes(rows, kind === 'c' ? width / 2 : width);
  return { dtype, shape, bytes: rows };
}

function refuse(why: string, hint?: string): never {
  throw new CompileError('bad-npy', `the .npy file cannot be read: ${why}`, hint);
}

function parseHeader(file: Uint8Array) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.byteLength < 12 || Buffer.from(file.subarray(0, 6)).toString('latin1') !== MAGIC)
    refuse('it does not begin with the NumPy signature', 'an .npz archive must be unpacked first');
  const version = file[6]!;
  if (version < 1 || version > 3) refuse(`format version ${version} is not known`);
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER || start + length > file.byteLength) refuse('its header is cut off');
  const header = Buffer.from(file.subarray(start, start + length)).toString(
    version === 3 ? 'utf8' : 'latin1',
  );

  const fortran = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(header)?.[1];
  const dims = /['"]shape['"]\s*:\s*\(([\d\sL,]*)\)/.exec(header)?.[1];
  const descr = /['"]descr['"]\s*:\s*(?:'([^']*)'|"([^"]*)"|(\[))/.exec(header);
  if (fortran === undefined || dims === undefined || !descr) return refuse('its header is not understood');
  const text = descr[1] ?? descr[2];
  if (text === undefined)
    return refuse('it holds a structured array', 'save each field as an array of its own');
  if (/O/.test(text))
    return refuse(
      'it holds pickled Python objects, which could run code when loaded',
      'save an array with a numeric dtype',
    );
  const shape = dims
    .split(',')
    .map((d) => d.trim().replace(/L$/, ''))
    .filter((d) => d !== '')
    .map(Number);
  return { descr: text, fortran: fortran === 'True', shape, dataStart: start + length };
}

function swapBytes(bytes: Uint8Array, width: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 2) buffer.swap16();
  else if (width === 4) buffer.swap32();
  else if (width === 8) buffer.swap64();
}

/** Element by element into row-major order. */
function fromColumnMajor(from: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  const to = new Uint8Array(from.byteLength);
  const strides: number[] = [];
  let stride = width;
  for (const dim of shape) {
    strides.push(stride);
    stride *= dim;
  }
  const index = shape.map(() => 0);
  for (let at = 0, source = 0; at < to.byteLength; at += width) {
    for (let b = 0; b < width; b++) to[at + b] = from[source + b]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return to;
}

/** Fixed-width texts, padded with zeros: UTF-32 (`U`) or bytes taken as UTF-8 (`S`). */
function texts(bytes: Uint8Array, count: number, width: number, kind: string, big: boolean): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder();
  return Array.from({ length: count }, (_, i) => {
    if (kind === 'S') return utf8.decode(bytes.subarray(i * width, (i + 1) * width)).replace(/\0+$/, '');
    let text = '';
    for (let at = i * width; at < (i + 1) * width; at += 4) {
      const point = view.getUint32(at, !big);
      if (point > 0x10ffff) refuse(`it holds the code point ${point}`);
      text += String.fromCodePoint(point);
    }
    return text.replace(/\0+$/, '');
  });
}

/**
 * Writes a `.npy` file (format 1; 2 where the header is long). Types NumPy lacks are widened without loss:
 * the small floats to f32, the small integers to i8 or u8.
 */
export function encodeNpy(tensor: TensorData): Uint8Array {
  const problem = malformed(tensor);
  if (problem !== undefined)
    throw new CompileError('bad-tensor', `cannot write the tensor as .npy: ${problem}`);
  const { descr, bytes } = payloadOf(tensor);
  const shape = tensor.shape.length === 1 ? `${tensor.shape[0]},` : tensor.shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const version = text.length + 64 > 0xffff ? 2 : 1;
  const prefix = version === 1 ? 10 : 12;
  const total = Math.ceil((prefix + text.length + 1) / 64) * 64;
  const out = Buffer.alloc(total + bytes.byteLength, ' ', 'latin1');
  out.write(MAGIC, 0, 'latin1');
  out[6] = version;
  out[7] = 0;
  if (version === 1) out.writeUInt16LE(total - prefix, 8);
  else out.writeUInt32LE(total - prefix, 8);
  out.write(text, prefix, 'latin1');
  out[total - 1] = 0x0a;
  out.set(bytes, total);
  return out;
}

function payloadOf(tensor: TensorData): { readonly descr: string; readonly bytes: Uint8Array } {
  const { dtype, bytes } = tensor;
  if (dtype === 'string') {
    const points = (tensor.strings ?? []).map((s) => [...s].map((c) => c.codePointAt(0) ?? 0));
    const width = points.reduce((longest, p) => Math.max(longest, p.length), 1);
    const out = new Uint32Array(width * points.length);
    for (const [i, p] of points.entries()) out.set(p, i * width);
    return { descr: `<U${width}`, bytes: new Uint8Array(out.buffer) };
  }
  const code = Object.entries(DTYPE_OF).find(([, name]) => name === dtype)?.[0];
  if (code !== undefined) return { descr: (/1$/.test(code) ? '|' : '<') + code, bytes };
  const values = toNumbers(tensor);
  if (dtype.startsWith('i')) return { descr: '|i1', bytes: new Uint8Array(Int8Array.from(values).buffer) };
  if (dtype.startsWith('u')) return { descr: '|u1', bytes: Uint8Array.from(values) };
  if ((bitsOf(dtype) ?? 0) <= 16)
    return { descr: '<f4', bytes: new Uint8Array(Float32Array.from(values).buffer) };
  throw new CompileError('bad-tensor', `cannot write ${dtype} as .npy`);
}
