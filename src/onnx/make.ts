/** Records with only the fields that matter given, and the commonest shapes of them. */
import { dataTypeOf, type ElementType } from './dtype.js';
import type { Schema } from './field.js';
import * as schemas from './schema.js';
import {
  type Attribute,
  attributeType,
  type FunctionProto,
  type Graph,
  type Model,
  type Node,
  type OperatorSetId,
  type Tensor,
  type TensorType,
  type TypeProto,
  type ValueInfo,
} from './types.js';

export function make<T>(schema: Schema<T>, fields: Partial<T>): T {
  return { ...schema.blank, ...fields };
}

export const makeModel = (fields: Partial<Model> & Pick<Model, 'graph'>): Model =>
  make(schemas.model, fields);
export const makeGraph = (fields: Partial<Graph>): Graph => make(schemas.graph, fields);
export const makeFunction = (fields: Partial<FunctionProto>): FunctionProto =>
  make(schemas.functionProto, fields);
export const makeNode = (fields: Partial<Node> & Pick<Node, 'opType'>): Node => make(schemas.node, fields);
export const makeOpset = (domain: string, version: number): OperatorSetId => ({ domain, version });
export const makeAttribute = (fields: Partial<Attribute> & Pick<Attribute, 'name' | 'type'>): Attribute =>
  make(schemas.attribute, fields);

export const floatAttribute = (name: string, f: number): Attribute =>
  makeAttribute({ name, type: attributeType.float, f });
export const intAttribute = (name: string, i: number | bigint): Attribute =>
  makeAttribute({ name, type: attributeType.int, i: BigInt(i) });
export const stringAttribute = (name: string, s: string): Attribute =>
  makeAttribute({ name, type: attributeType.string, s: utf8(s) });
export const tensorAttribute = (name: string, t: Tensor): Attribute =>
  makeAttribute({ name, type: attributeType.tensor, t });
export const graphAttribute = (name: string, g: Graph): Attribute =>
  makeAttribute({ name, type: attributeType.graph, g });
export const floatsAttribute = (name: string, floats: readonly number[]): Attribute =>
  makeAttribute({ name, type: attributeType.floats, floats });
export const intsAttribute = (name: string, ints: readonly (number | bigint)[]): Attribute =>
  makeAttribute({ name, type: attributeType.ints, ints: ints.map(BigInt) });
export const stringsAttribute = (name: string, strings: readonly string[]): Attribute =>
  makeAttribute({ name, type: attributeType.strings, strings: strings.map(utf8) });

/** A tensor from its packed little-endian bytes. */
export function makeTensor(
  name: string,
  elementType: ElementType,
  dims: readonly number[],
  rawData: Uint8Array,
): Tensor {
  return make(schemas.tensor, { name, dataType: dataTypeOf(elementType), dims, rawData });
}

export function makeStringTensor(name: string, dims: readonly number[], texts: readonly string[]): Tensor {
  return make(schemas.tensor, { name, dataType: dataTypeOf('string'), dims, stringData: texts.map(utf8) });
}

/** A dimension is a size, a symbol, or unknown; without `dims`, so is the rank. */
export type DimSpec = number | string | undefined;

export function tensorTypeProto(elementType: ElementType, dims?: readonly DimSpec[]): TypeProto {
  const shape = dims && { dim: dims.map(dimension) };
  const tensorType: TensorType = { elemType: dataTypeOf(elementType), shape };
  return make(schemas.typeProto, { tensorType });
}

export function tensorValue(name: string, elementType: ElementType, dims?: readonly DimSpec[]): ValueInfo {
  return make(schemas.valueInfo, { name, type: tensorTypeProto(elementType, dims) });
}

function dimension(dim: DimSpec) {
  return make(schemas.dimension, {
    dimValue: typeof dim === 'number' ? dim : undefined,
    dimParam: typeof dim === 'string' ? dim : undefined,
  });
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
