import { type Blob, memoryBlob } from '../support/blob.js';
import { CompileError } from '../support/diagnostic.js';
import { bitsOf, type ElementType, elementTypeOf, packedBytes } from './dtype.js';
import { externalBlob } from './external-data.js';
import { dataLocation, type Tensor } from './types.js';
import { bytesOf } from './vector.js';

/** The elements of a tensor, little-endian, row-major and packed, wherever the model keeps them. */
export interface TensorBlob extends Blob {
  readonly elementType: ElementType;
  readonly dims: readonly number[];
  /** Number of elements. */
  readonly count: number;
}

/** External data are looked for in `baseDir`, the directory of the model; without one they are refused. */
export function tensorBlob(tensor: Tensor, baseDir: string | undefined): TensorBlob {
  return CompileError.within(`in the tensor "${tensor.name}"`, () => {
    const { elementType, count } = describe(tensor);
    if (elementType === 'string') throw malformed('text has no packed bytes');
    const blob = locate(tensor, elementType, count, baseDir);
    return {
      elementType,
      dims: tensor.dims,
      count,
      byteLength: blob.byteLength,
      read: (offset?: number, length?: number) => blob.read(offset, length),
    };
  });
}

/** The elements of a tensor of strings. */
export function tensorStrings(tensor: Tensor): readonly string[] {
  return CompileError.within(`in the tensor "${tensor.name}"`, () => {
    const { elementType, count } = describe(tensor);
    if (elementType !== 'string') throw malformed(`it holds ${elementType}, not strings`);
    expectLength('strings', tensor.stringData.length, count);
    return tensor.stringData.map((text) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(text));
  });
}

function describe(tensor: Tensor): { elementType: ElementType; count: number } {
  const elementType = elementTypeOf(tensor.dataType);
  if (elementType === undefined) throw malformed(`its element type ${tensor.dataType} is unknown`);
  if (tensor.segment !== undefined) throw malformed('it is one segment of a larger tensor');
  return { elementType, count: elementCount(tensor.dims) };
}

function elementCount(dims: readonly number[]): number {
  const negative = dims.find((dim) => dim < 0);
  if (negative !== undefined) throw malformed(`it has the dimension ${negative}`);
  const count = dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, 1);
  // 128 bits an element must still give a safe number of bits.
  if (count > Number.MAX_SAFE_INTEGER / 128) throw malformed(`its dimensions [${dims}] are absurdly large`);
  return count;
}

function locate(tensor: Tensor, type: ElementType, count: number, baseDir: string | undefined): Blob {
  const size = packedBytes(type, count);
  if (tensor.dataLocation === dataLocation.external) {
    if (baseDir === undefined) {
      throw new CompileError(
        'missing-external-data',
        'its data lie in another file, and the model was not read from a directory',
        'convert the model from its file rather than from memory',
      );
    }
    return externalBlob(tensor, baseDir, size);
  }
  const { rawData } = tensor;
  // Some writers set `rawData` to nothing and use the typed field.
  const inline =
    rawData !== undefined && (rawData.length > 0 || size === 0) ? rawData : typedBytes(tensor, type, count);
  expectLength('bytes', inline.length, size);
  return memoryBlob(inline);
}

/** The typed field that holds elements of this type, packed. */
function typedBytes(tensor: Tensor, type: ElementType, count: number): Uint8Array {
  switch (type) {
    case 'f32':
    case 'c64':
      return bytesOf(tensor.floatData);
    case 'f64':
    case 'c128':
      return bytesOf(tensor.doubleData);
    case 'i64':
      return bytesOf(tensor.int64Data);
    case 'u64':
      return bytesOf(tensor.uint64Data);
    case 'u32':
      return bytesOf(Uint32Array.from(tensor.uint64Data, Number));
    case 'i32':
      return bytesOf(tensor.int32Data);
    case 'bool':
      return Uint8Array.from(tensor.int32Data, (value) => (value === 0 ? 0 : 1));
    case 'f6e2m3':
    case 'f6e3m2':
      expectLength('elements', tensor.int32Data.length, count);
      return packSixBits(tensor.int32Data);
    default:
      return bitsOf(type) === 16
        ? bytesOf(Uint16Array.from(tensor.int32Data))
        : // One entry is one byte also where that byte holds several elements.
          Uint8Array.from(tensor.int32Data);
  }
}

function packSixBits(values: Int32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((values.length * 6) / 8));
  values.forEach((value, index) => {
    const bit = index * 6;
    const shifted = (value & 0x3f) << (bit % 8);
    bytes[bit >> 3]! |= shifted;
    if (shifted > 0xff) bytes[(bit >> 3) + 1]! |= shifted >> 8;
  });
  return bytes;
}

function expectLength(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw malformed(`it holds ${actual} ${what} where its shape asks for ${expected}`);
}

function malformed(reason: string): CompileError {
  return new CompileError('bad-tensor', `the data of a tensor cannot be used: ${reason}`);
}
