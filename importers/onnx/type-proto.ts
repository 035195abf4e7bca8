import { bareSymbol } from '../../src/ir/dim.js';
import { type DType, isDType, type OpaqueType, type ValueType } from '../../src/ir/type.js';
import { dataTypeOf, elementTypeOf } from '../../src/onnx/dtype.js';
import { make, tensorTypeProto } from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import type { TensorShape, TypeProto } from '../../src/onnx/types.js';
import { CompileError } from '../../src/support/diagnostic.js';

export const opaque = (text: string): OpaqueType => ({ kind: 'opaque', text });

/** The type of a value that nobody described. */
export const unknownType = opaque('unknown');

export const isUnknown = (t: ValueType): boolean => t.kind === 'opaque' && t.text === 'unknown';

export const dtypeOfProto = (elemType: number): DType | undefined => {
  const name = elementTypeOf(elemType);
  return name !== undefined && isDType(name) ? name : undefined;
};

/** A type the IR does not model, in words from which `protoOf` makes it again. */
export function textOf(type: TypeProto | undefined): string {
  if (type?.tensorType !== undefined) return tensorText(type.tensorType.elemType, type.tensorType.shape);
  if (type?.sparseTensorType !== undefined)
    return `sparse<${tensorText(type.sparseTensorType.elemType, type.sparseTensorType.shape)}>`;
  if (type?.sequenceType !== undefined) return `sequence<${textOf(type.sequenceType.elemType)}>`;
  if (type?.optionalType !== undefined) return `optional<${textOf(type.optionalType.elemType)}>`;
  if (type?.mapType !== undefined)
    return `map<${elementTypeOf(type.mapType.keyType) ?? 'unknown'},${textOf(type.mapType.valueType)}>`;
  return 'unknown';
}

function tensorText(elemType: number, shape: TensorShape | undefined): string {
  const dims = shape?.dim.map((d) => d.dimValue ?? (plain(d.dimParam) ? d.dimParam : '?'));
  return `${elementTypeOf(elemType) ?? 'unknown'}[${dims?.join(',') ?? '*'}]`;
}

const plain = (name: string | undefined): boolean => name !== undefined && /^[A-Za-z_]\w*$/.test(name);

/** The ONNX type of a value; undefined where nothing is known. */
export function protoOf(type: ValueType): TypeProto | undefined {
  if (type.kind === 'opaque') return parseText(type.text);
  return tensorTypeProto(
    type.dtype,
    type.shape.map((d) => (typeof d === 'number' ? d : bareSymbol(d))),
  );
}

function parseText(text: string): TypeProto | undefined {
  if (text.startsWith('unknown')) return undefined;
  const nested = /^(sequence|optional|sparse)<(.*)>$/s.exec(text);
  if (nested) {
    const elemType = parseText(nested[2]!);
    switch (nested[1]) {
      case 'sequence':
        return make(schemas.typeProto, { sequenceType: { elemType } });
      case 'optional':
        return make(schemas.typeProto, { optionalType: { elemType } });
      default:
        return make(schemas.typeProto, { sparseTensorType: elemType?.tensorType });
    }
  }
  const map = /^map<(\w+),(.*)>$/s.exec(text);
  if (map)
    return make(schemas.typeProto, {
      mapType: { keyType: dataType(map[1]!), valueType: parseText(map[2]!) },
    });
  const tensor = /^(\w+)\[(.*)\]$/s.exec(text);
  if (!tensor || !isDType(tensor[1]!))
    throw new CompileError('unknown-type', `the type ${text} cannot be written as an ONNX type`);
  if (tensor[2] === '*') return tensorTypeProto(tensor[1]);
  const dims = tensor[2] === '' ? [] : tensor[2]!.split(',');
  return tensorTypeProto(
    tensor[1],
    dims.map((d) => (/^\d+$/.test(d) ? Number(d) : d === '?' ? undefined : d)),
  );
}

const dataType = (name: string): number => (isDType(name) ? dataTypeOf(name) : 0);
