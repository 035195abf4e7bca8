import { bitsOf, type DType } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import type { SourceNode } from './op.js';

/** Element types by their number in the ONNX format, from 1. */
const byNumber: readonly DType[] = [
  'f32',
  'u8',
  'i8',
  'u16',
  'i16',
  'i32',
  'i64',
  'string',
  'bool',
  'f16',
  'f64',
  'u32',
  'u64',
  'c64',
  'c128',
  'bf16',
  'f8e4m3fn',
  'f8e4m3fnuz',
  'f8e5m2',
  'f8e5m2fnuz',
  'u4',
  'i4',
  'f4e2m1',
  'f8e8m0',
  'u2',
  'i2',
];

/** Names that Cast used before opset 6. */
const byName: Readonly<Record<string, DType>> = {
  FLOAT: 'f32',
  UINT8: 'u8',
  INT8: 'i8',
  UINT16: 'u16',
  INT16: 'i16',
  INT32: 'i32',
  INT64: 'i64',
  STRING: 'string',
  BOOL: 'bool',
  FLOAT16: 'f16',
  DOUBLE: 'f64',
  UINT32: 'u32',
  UINT64: 'u64',
  COMPLEX64: 'c64',
  COMPLEX128: 'c128',
};

export function dtypeOfNumber(n: SourceNode, number: number): DType {
  return byNumber[number - 1] ?? n.decline(`element type ${number} is not known`);
}

export function dtypeOfName(name: string): DType {
  const t = byName[name];
  if (t === undefined) throw new CompileError('bad-attribute', `"${name}" is not an element type`);
  return t;
}

/** An attribute that holds an element type; 0 stands for none. */
export function dtypeAttr(n: SourceNode, attr: string): DType | undefined {
  const number = n.int(attr, 0);
  return number === 0 ? undefined : dtypeOfNumber(n, number);
}

export const isPacked = (t: DType): boolean => t !== 'string' && bitsOf[t] < 8;
