import { Tensor } from 'onnxruntime-common';
import { alignedBytes, type TensorData } from '../support/tensor-data.js';

type TensorType = Tensor.Type;

/** The element types that cross the boundary of an onnxruntime session in Node, by our names. */
const ORT_TYPE_OF: Readonly<Record<string, TensorType>> = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i8: 'int8',
  i16: 'int16',
  i32: 'int32',
  i64: 'int64',
  u8: 'uint8',
  u16: 'uint16',
  u32: 'uint32',
  u64: 'uint64',
  bool: 'bool',
  string: 'string',
};

export function ortTypeOf(dtype: string): TensorType | undefined {
  return ORT_TYPE_OF[dtype];
}

export function dtypeOfOrt(type: string): string | undefined {
  return Object.keys(ORT_TYPE_OF).find((dtype) => ORT_TYPE_OF[dtype] === type);
}

/** An onnxruntime tensor over the same memory; copied only where the bytes are not aligned. */
export function toOrt({ dtype, shape, bytes, strings }: TensorData): Tensor {
  const at = (width: number) => {
    const { buffer, byteOffset, byteLength } = alignedBytes(bytes, width);
    return [buffer, byteOffset, byteLength / width] as const;
  };
  switch (dtype) {
    case 'f32':
      return new Tensor('float32', new Float32Array(...at(4)), shape);
    case 'f64':
      return new Tensor('float64', new Float64Array(...at(8)), shape);
    case 'f16':
      return new Tensor('float16', new Uint16Array(...at(2)), shape);
    case 'i8':
      return new Tensor('int8', new Int8Array(...at(1)), shape);
    case 'i16':
      return new Tensor('int16', new Int16Array(...at(2)), shape);
    case 'i32':
      return new Tensor('int32', new Int32Array(...at(4)), shape);
    case 'i64':
      return new Tensor('int64', new BigInt64Array(...at(8)), shape);
    case 'u8':
      return new Tensor('uint8', new Uint8Array(...at(1)), shape);
    case 'u16':
      return new Tensor('uint16', new Uint16Array(...at(2)), shape);
    case 'u32':
      return new Tensor('uint32', new Uint32Array(...at(4)), shape);
    case 'u64':
      return new Tensor('uint64', new BigUint64Array(...at(8)), shape);
    case 'bool':
      return new Tensor('bool', new Uint8Array(...at(1)), shape);
    case 'string':
      return new Tensor('string', [...(strings ?? [])], shape);
    default:
      throw new TypeError(`onnxruntime takes no tensor of type ${dtype} from Node`);
  }
}

/** The tensor's own memory, not a copy. */
export function fromOrt(tensor: Tensor): TensorData {
  const dtype = dtypeOfOrt(tensor.type);
  if (dtype === undefined) throw new TypeError(`onnxruntime gave a tensor of type ${tensor.type}`);
  const { data, dims: shape } = tensor;
  if (Array.isArray(data)) return { dtype, shape, bytes: new Uint8Array(), strings: data };
  return { dtype, shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}
