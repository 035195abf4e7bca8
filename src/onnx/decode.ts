import protobuf, { type Reader } from 'protobufjs/minimal.js';
import { CompileError } from '../support/diagnostic.js';
import type { Member, Schema } from './field.js';
import { gatherRun, skipValue } from './reading.js';
import * as schemas from './schema.js';
import { recognize } from './sniff.js';
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
import { readView, wireType } from './wire.js';

/** Tensor data (`rawData`, strings) are views into `bytes`: leave them unchanged while the model is in use. */
export function decodeModel(bytes: Uint8Array): Model {
  const other = recognize(bytes);
  if (other !== undefined) {
    throw new CompileError('bad-model', `this is not an ONNX model but ${other.what}`, other.hint);
  }
  return decodeMessage(schemas.model, bytes);
}

export const decodeGraph = (bytes: Uint8Array): Graph => decodeMessage(schemas.graph, bytes);
export const decodeNode = (bytes: Uint8Array): Node => decodeMessage(schemas.node, bytes);
export const decodeFunction = (bytes: Uint8Array): FunctionProto =>
  decodeMessage(schemas.functionProto, bytes);
export const decodeTensor = (bytes: Uint8Array): Tensor => decodeMessage(schemas.tensor, bytes);
export const decodeTypeProto = (bytes: Uint8Array): TypeProto => decodeMessage(schemas.typeProto, bytes);
export const decodeSequence = (bytes: Uint8Array): SequenceProto =>
  decodeMessage(schemas.sequenceProto, bytes);
export const decodeOptional = (bytes: Uint8Array): OptionalProto =>
  decodeMessage(schemas.optionalProto, bytes);

export function decodeMessage<T>(schema: Schema<T>, bytes: Uint8Array): T {
  // protobufjs reads short strings fastest from a Buffer.
  const reader = protobuf.Reader.create(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const decoding = new Decoding(reader);
  try {
    return decoding.message(schema, bytes.length);
  } catch (cause) {
    const reason = reader.pos > reader.len ? 'the data ends early' : (cause as Error).message;
    throw new CompileError(
      'bad-model',
      `not a valid ONNX ${schema.name}: in ${decoding.place}, at byte ${reader.pos} of ${bytes.length}: ${reason}`,
      'the file is damaged, incomplete or of another format; compare its size with the original',
    );
  }
}

// As protobuf's own default, so that every model other tools accept is accepted.
const DEEPEST = 100;

// A few bytes of input can ask for a record of some hundred bytes of heap. The budget bounds that to about two
// gigabytes, while the largest real graphs use less than a hundredth of it.
const BUDGET = 2 ** 26;
const RECORD_COST = 16;

class Decoding {
  place = '';
  private depth = 0;
  private budget = BUDGET;

  constructor(private readonly reader: Reader) {}

  message<T>(schema: Schema<T>, end: number): T {
    const { reader } = this;
    if (++this.depth > DEEPEST) throw new Error(`messages nest deeper than ${DEEPEST} levels`);
    this.spend(RECORD_COST);
    const outer = { place: this.place, end: reader.len };
    this.place = schema.name;
    reader.len = end;
    const target = { ...schema.blank } as Record<string, unknown>;
    let hasVectors = false;
    while (reader.pos < end) {
      const tag = reader.tag();
      const member = schema.byNumber[tag >>> 3];
      if (member === undefined) skipValue(reader, tag);
      else this.field(target, member, tag);
      hasVectors ||= member?.shape === 'vector';
    }
    if (reader.pos !== end) throw new Error('a value crosses the end of its message');
    finish(schema, target, hasVectors);
    this.place = outer.place;
    reader.len = outer.end;
    this.depth--;
    return target as T;
  }

  private field(target: Record<string, unknown>, member: Member, tag: number): void {
    const { reader } = this;
    const wire = tag & 7;
    switch (member.shape) {
      case 'scalar':
        expectWire(member, wire, member.scalar.wire);
        target[member.key] = member.scalar.read(reader);
        break;
      case 'scalars': {
        const values = listOf(target, member);
        const { scalar } = member;
        if (wire !== wireType.delimited || scalar.wire === wireType.delimited) {
          expectWire(member, wire, scalar.wire);
          this.spend(scalar.cost);
          values.push(scalar.read(reader));
          break;
        }
        const end = this.lengthPrefix();
        for (; reader.pos < end; this.spend(scalar.cost)) values.push(scalar.read(reader));
        if (reader.pos !== end) throw new Error(`${member.key} crosses the end of its list`);
        break;
      }
      case 'vector': {
        const { vector } = member;
        const packed = wire === wireType.delimited;
        if (!packed) expectWire(member, wire, vector.wire);
        this.spend(RECORD_COST);
        const bytes = packed ? readView(reader, reader.size()) : gatherRun(reader, tag);
        listOf(target, member).push(vector.unpack(bytes));
        break;
      }
      case 'record':
        expectWire(member, wire, wireType.delimited);
        // Protobuf would merge the two. No writer of models produces that.
        if (target[member.key] !== undefined) throw new Error(`${member.key} appears twice`);
        target[member.key] = this.message(member.schema(), this.lengthPrefix());
        break;
      case 'records':
        expectWire(member, wire, wireType.delimited);
        listOf(target, member).push(this.message(member.schema(), this.lengthPrefix()));
        break;
      default:
        member satisfies never;
    }
    for (const rival of member.rivals) target[rival] = undefined;
  }

  /** Reads a length and returns where what it measures ends. */
  private lengthPrefix(): number {
    const length = this.reader.size();
    const end = this.reader.pos + length;
    if (end > this.reader.len) {
      throw new Error(`${length} bytes are announced where ${this.reader.len - this.reader.pos} are left`);
    }
    return end;
  }

  private spend(cost: number): void {
    this.budget -= cost;
    if (this.budget < 0) throw new Error('it consists of more records than any model has');
  }
}

/** The list of a repeated field while it grows; what is absent shares one frozen list. */
function listOf(target: Record<string, unknown>, { key, absent }: Member): unknown[] {
  const known = target[key];
  if (known !== absent) return known as unknown[];
  const list: unknown[] = [];
  target[key] = list;
  return list;
}

function finish(schema: Schema<unknown>, target: Record<string, unknown>, hasVectors: boolean): void {
  if (hasVectors) {
    for (const member of schema.members) {
      const parts = target[member.key];
      if (member.shape === 'vector' && Array.isArray(parts)) target[member.key] = member.vector.concat(parts);
    }
  }
  for (const member of schema.members) {
    if (member.required && target[member.key] === undefined) throw new Error(`there is no ${member.key}`);
  }
}

function expectWire(member: Member, wire: number, expected: number): void {
  if (wire !== expected) throw new Error(`${member.key} has wire type ${wire} where ${expected} belongs`);
}
