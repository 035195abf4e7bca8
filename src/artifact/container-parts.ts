import type { ElementType } from '../onnx/dtype.js';
import {
  intAttribute,
  make,
  makeAttribute,
  makeNode,
  makeStringTensor,
  makeTensor,
  tensorAttribute,
  tensorTypeProto,
} from '../onnx/make.js';
import * as schemas from '../onnx/schema.js';
import { type Attribute, attributeType, type Node, type TypeProto, type ValueInfo } from '../onnx/types.js';

/** What the nodes in front of a model and those behind it are made of. */

export const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attribute: readonly Attribute[] = [],
): Node => makeNode({ opType, input, output, attribute });

export const constant = (
  name: string,
  type: ElementType,
  dims: readonly number[],
  values: readonly number[] = [],
): Node => {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  const tensor = type === 'string' ? makeStringTensor('', dims, []) : makeTensor('', type, dims, bytes);
  return node('Constant', [], [name], [tensorAttribute('value', tensor)]);
};

export const typeAttribute = (tp: TypeProto): Attribute =>
  makeAttribute({ name: 'type', type: attributeType.typeProto, tp });
export const sequenceType = (type: ElementType): TypeProto =>
  make(schemas.typeProto, { sequenceType: { elemType: tensorTypeProto(type) } });
export const optionalType = (of: TypeProto): TypeProto =>
  make(schemas.typeProto, { optionalType: { elemType: of } });
export const valueInfo = (name: string, type: TypeProto): ValueInfo =>
  make(schemas.valueInfo, { name, type });

export const emptySequence = (name: string, type: ElementType): Node => {
  const { elemType } = tensorTypeProto(type).tensorType!;
  return node('SequenceEmpty', [], [name], [intAttribute('dtype', elemType)]);
};
