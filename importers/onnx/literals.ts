import { Literal, literal } from '../../src/ir/literal.js';
import { bitsOf, bytesOf } from '../../src/ir/type.js';
import { dataTypeOf, elementTypeOf } from '../../src/onnx/dtype.js';
import { make, makeStringTensor, makeTensor } from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import { tensorBlob, tensorStrings } from '../../src/onnx/tensor-data.js';
import { dataLocation, type SparseTensor, type Tensor } from '../../src/onnx/types.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { Malformed } from './malformed.js';
import { dtypeOfProto } from './type-proto.js';

/** A tensor of the model as a constant. Data in other files are read when somebody asks. */
export function literalOfTensor(tensor: Tensor, baseDir: string | undefined): Literal {
  const dtype = dtypeOfProto(tensor.dataType);
  if (dtype === undefined)
    throw new Malformed(
      'unknown-element-type',
      `the tensor "${tensor.name}" has elements of ${elementTypeOf(tensor.dataType) ?? `type ${tensor.dataType}`}`,
    );
  if (dtype === 'string') return literal(dtype, tensor.dims, packStrings(tensorStrings(tensor)));
  return new Literal(dtype, tensor.dims, tensorBlob(tensor, baseDir));
}

/** Strings as the bytes of a constant: for each its length in 32 bits, then its UTF-8 text. */
export function packStrings(strings: readonly string[]): Uint8Array {
  const texts = strings.map((s) => new TextEncoder().encode(s));
  const bytes = new Uint8Array(texts.reduce((n, t) => n + 4 + t.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const t of texts) {
    view.setUint32(at, t.length, true);
    bytes.set(t, at + 4);
    at += 4 + t.length;
  }
  return bytes;
}

export function unpackStrings(bytes: Uint8Array): readonly string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    out.push(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return out;
}

const largestDense = 2 ** 31;

/** A sparse tensor with its zeros written out. */
export function denseLiteral(sparse: SparseTensor, baseDir: string | undefined): Literal {
  const name = sparse.values?.name ?? '';
  const broken = (why: string) => new Malformed('bad-sparse-tensor', `the sparse tensor "${name}" ${why}`);
  if (!sparse.values || !sparse.indices) throw broken('lacks its values or its indices');
  const values = literalOfTensor(sparse.values, baseDir);
  const indices = literalOfTensor(sparse.indices, baseDir);
  const { dims } = sparse;
  const count = dims.reduce((a, b) => a * b, 1);
  if (dims.some((d) => d < 0) || !(bytesOf(values.dtype, count) <= largestDense))
    throw broken(`cannot have the dimensions [${dims.join(',')}]`);
  if (indices.dtype !== 'i64' || bitsOf[values.dtype] < 8)
    throw broken('has elements of a type it cannot have');
  const width = bitsOf[values.dtype] / 8;
  const bytes = new Uint8Array(bytesOf(values.dtype, count));
  const source = values.bytes();
  const places = indices.bigints().map(Number);
  const each = indices.shape.length === 2 ? dims.length : 1;
  if (places.length !== values.size * each)
    throw broken(`has ${values.size} values and ${places.length} indices`);
  for (let i = 0; i < values.size; i++) {
    const index = places.slice(i * each, (i + 1) * each);
    const at = index.length === 1 && each === 1 ? index[0]! : index.reduce((n, x, d) => n * dims[d]! + x, 0);
    if (!(at >= 0 && at < count) || (each > 1 && index.some((x, d) => x < 0 || x >= dims[d]!)))
      throw broken(`has a value at [${index.join(',')}], outside [${dims.join(',')}]`);
    bytes.set(source.subarray(i * width, (i + 1) * width), at * width);
  }
  return literal(values.dtype, dims, bytes);
}

/** A constant as a tensor of a model; `where` tells its place in another file. */
export function tensorOfLiteral(
  name: string,
  value: Literal,
  where?: { readonly location: string; readonly offset: number; readonly length: number },
): Tensor {
  if (value.dtype === 'string') return makeStringTensor(name, value.shape, unpackStrings(value.bytes()));
  if (!where) return makeTensor(name, value.dtype, value.shape, value.bytes());
  if (where.length !== value.byteLength)
    throw new CompileError('bad-external-data', `${where.length} bytes for a tensor of ${value.byteLength}`);
  const entry = (key: string, text: string | number) => ({ key, value: String(text) });
  return make(schemas.tensor, {
    name,
    dataType: dataTypeOf(value.dtype),
    dims: value.shape,
    dataLocation: dataLocation.external,
    externalData: [
      entry('location', where.location),
      entry('offset', where.offset),
      entry('length', where.length),
    ],
  });
}
