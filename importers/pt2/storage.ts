import { Literal } from '../../src/ir/literal.js';
import type { Blob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { bytesPerElement, type Size, type TensorMeta } from '../fx/schema.js';
import { part } from './zip.js';

const mostElements = 2 ** 40;
/** Bytes that a tensor may have beyond its storage, which it then shows several times over. */
const mostRepeated = 2 ** 26;

function known(size: Size, where: string): number {
  if (typeof size === 'number' && size >= 0 && size <= mostElements) return size;
  throw new CompileError('bad-weight', `${where} has an extent that no tensor in a file can have`);
}

/** A window of a storage as a constant; its bytes are read when somebody asks. */
export function literalIn(storage: Blob, meta: TensorMeta, bigEndian: boolean, where: string): Literal {
  const width = bytesPerElement(meta.dtype);
  const shape = meta.sizes.map((s) => known(s, where));
  const strides = meta.strides.map((s) => known(s, where));
  const offset = known(meta.offset, where);
  if (strides.length !== shape.length)
    throw new CompileError('bad-weight', `${where} has ${shape.length} axes and ${strides.length} strides`);
  const count = shape.reduce((a, b) => a * b, 1);
  if (count === 0) return new Literal(meta.dtype, shape, part(storage, 0, 0));
  if (storage.byteLength === 0)
    throw new CompileError(
      'weights-missing',
      `${where} has ${count} elements, but the file holds none of them`,
      'the program was exported from fake tensors: load the weights before torch.export.save',
    );
  const last = shape.reduce((at, n, d) => at + (n - 1) * strides[d]!, offset);
  if (!Number.isSafeInteger(last) || (last + 1) * width > storage.byteLength)
    throw new CompileError(
      'bad-weight',
      `${where} reaches to element ${last} of a storage of ${Math.floor(storage.byteLength / width)}`,
    );
  if (count * width > Math.max(storage.byteLength, mostRepeated))
    throw new CompileError('bad-weight', `${where} repeats its storage ${count} times over`);
  const dense = isDense(shape, strides) && !(bigEndian && width > 1);
  const blob = dense
    ? part(storage, offset * width, count * width)
    : gathered(storage, { shape, strides, offset, width, count }, bigEndian && width > 1);
  return new Literal(meta.dtype, shape, blob);
}

function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== expected) return false;
    expected *= shape[d]!;
  }
  return true;
}

interface Window {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly width: number;
  readonly count: number;
}

/** The elements of a window in row-major, little-endian order. */
function gathered(storage: Blob, w: Window, swap: boolean): Blob {
  const byteLength = w.count * w.width;
  const all = (): Uint8Array => {
    const from = storage.read();
    const to = new Uint8Array(byteLength);
    const inner = w.shape.at(-1) ?? 1;
    const step = (w.strides.at(-1) ?? 1) * w.width;
    const index = w.shape.slice(0, -1).map(() => 0);
    for (let row = 0; row < w.count / inner; row++) {
      let source = (w.offset + index.reduce((at, i, d) => at + i * w.strides[d]!, 0)) * w.width;
      let target = row * inner * w.width;
      for (let i = 0; i < inner; i++, source += step, target += w.width)
        for (let byte = 0; byte < w.width; byte++)
          to[target + byte] = from[source + (swap ? w.width - 1 - byte : byte)]!;
      for (let d = index.length - 1; d >= 0; d--) {
        if (++index[d]! < w.shape[d]!) break;
        index[d] = 0;
      }
    }
    return to;
  };
  return {
    byteLength,
    read: (offset = 0, length = byteLength - offset) => all().subarray(offset, offset + length),
  };
}
