import protobuf, { type Writer } from 'protobufjs/minimal.js';
import { CompileError } from '../support/diagnostic.js';
import type { Member, Schema } from './field.js';
import * as schemas from './schema.js';
import type {
  FunctionProto,
  Graph,
  Model,
  Node,
  OptionalProto,
  SequenceProto,
  Tensor,
  TypeProto,
} from './types.js';
import { wireType } from './wire.js';

export const encodeModel = (model: Model): Uint8Array => encodeMessage(schemas.model, model);
export const encodeGraph = (graph: Graph): Uint8Array => encodeMessage(schemas.graph, graph);
export const encodeNode = (node: Node): Uint8Array => encodeMessage(schemas.node, node);
export const encodeFunction = (fn: FunctionProto): Uint8Array => encodeMessage(schemas.functionProto, fn);
export const encodeTensor = (tensor: Tensor): Uint8Array => encodeMessage(schemas.tensor, tensor);
export const encodeTypeProto = (type: TypeProto): Uint8Array => encodeMessage(schemas.typeProto, type);
export const encodeSequence = (value: SequenceProto): Uint8Array =>
  encodeMessage(schemas.sequenceProto, value);
export const encodeOptional = (value: OptionalProto): Uint8Array =>
  encodeMessage(schemas.optionalProto, value);

// Protobuf implementations refuse messages of 2 GiB.
const LARGEST = 2 ** 31 - 1;

export function encodeMessage<T>(schema: Schema<T>, record: T): Uint8Array {
  const writer = protobuf.Writer.create();
  try {
    writeMessage(writer, schema, record as Record<string, unknown>);
  } catch (cause) {
    if (cause instanceof CompileError) throw cause;
    throw new CompileError('bad-model', `cannot write the ${schema.name}: ${(cause as Error).message}`);
  }
  const bytes = writer.finish();
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeMessage(writer: Writer, schema: Schema<unknown>, record: Record<string, unknown>): void {
  for (const member of schema.members) {
    const value = record[member.key];
    if (value !== undefined && value !== member.absent) writeField(writer, member, value);
  }
  if (writer.pos > LARGEST) {
    throw new CompileError(
      'model-too-large',
      'an ONNX file cannot hold 2 GiB or more',
      'keep the weights as external data',
    );
  }
}

function writeField(writer: Writer, member: Member, value: unknown): void {
  const delimited = (member.number << 3) | wireType.delimited;
  switch (member.shape) {
    case 'scalar':
      writer.uint32((member.number << 3) | member.scalar.wire);
      member.scalar.write(writer, value);
      break;
    case 'scalars':
      for (const item of value as readonly unknown[]) {
        writer.uint32((member.number << 3) | member.scalar.wire);
        member.scalar.write(writer, item);
      }
      break;
    case 'vector': {
      const packed = member.vector.pack(value);
      if (packed.length > 0) writer.uint32(delimited).bytes(packed);
      break;
    }
    case 'record':
      writer.uint32(delimited).fork();
      writeMessage(writer, member.schema(), value as Record<string, unknown>);
      writer.ldelim();
      break;
    case 'records':
      for (const item of value as readonly Record<string, unknown>[]) {
        writer.uint32(delimited).fork();
        writeMessage(writer, member.schema(), item);
        writer.ldelim();
      }
      break;
    default:
      member satisfies never;
  }
}
