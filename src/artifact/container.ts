import { CompileError } from '../support/diagnostic.js';
import { bitsOf } from '../support/element-formats.js';
import { elementCount, type TensorData } from '../support/tensor-data.js';
import { isTensorData, type SequenceData, type ValueData } from '../support/value-data.js';
import type { Port } from './manifest.js';

/**
 * Sequences and optionals as tensors, which is all that crosses the border of onnxruntime in Node: the elements one
 * after another, their shapes one after another, their ranks, and for an optional sequence whether it is there. An
 * optional tensor is a sequence of at most one.
 */
export interface Container {
  readonly kind: 'sequence' | 'optional' | 'optional sequence';
  /** Of the elements. */
  readonly dtype: string;
}

/** The container that a type's text names, such as `sequence<f32[N]>`. */
export function containerOf(text: string): Container | undefined {
  const [, outer, inner, dtype] = /^(sequence|optional)<(sequence<)?(\w+)\[[^<>]*\]>{1,2}$/.exec(text) ?? [];
  if (dtype === undefined || (dtype !== 'string' && bitsOf(dtype) === undefined)) return undefined;
  if (inner === undefined) return { kind: outer === 'sequence' ? 'sequence' : 'optional', dtype };
  return outer === 'optional' ? { kind: 'optional sequence', dtype } : undefined;
}

/** The names of a container's parts. */
export function partsOf(value: string, { kind }: Container): readonly string[] {
  const parts = [`${value}/elements`, `${value}/shapes`, `${value}/ranks`];
  return kind === 'optional sequence' ? [...parts, `${value}/present`] : parts;
}

/** The tensors that carry a port's value from step to step. */
export function carriersOf({ value, dtype, shape }: Port): readonly string[] {
  const container = shape === undefined ? containerOf(dtype) : undefined;
  return container ? partsOf(value, container) : [value];
}

/** A value as its parts, in the order of `partsOf`. */
export function packed(name: string, value: ValueData, container: Container): readonly TensorData[] {
  const elements = elementsOf(name, value, container);
  const shapes = elements.flatMap((t) => t.shape);
  const parts = [
    joined(elements, container.dtype),
    integers(shapes),
    integers(elements.map((t) => t.shape.length)),
  ];
  if (container.kind !== 'optional sequence') return parts;
  const isThere = !isTensorData(value) && value.kind === 'optional' ? value.value !== undefined : true;
  return [...parts, { dtype: 'bool', shape: [1], bytes: Uint8Array.of(isThere ? 1 : 0) }];
}

function elementsOf(name: string, value: ValueData, { kind, dtype }: Container): readonly TensorData[] {
  const refuse = (found: string): CompileError =>
    new CompileError('input-type', `the input "${name}" is ${found}, expected ${kind} of ${dtype}`);
  const content = isTensorData(value) || value.kind === 'sequence' ? value : value.value;
  if (content !== value && kind === 'sequence') throw refuse('an optional');
  if (content === undefined) return [];
  if (isTensorData(content) !== (kind === 'optional'))
    throw refuse(isTensorData(content) ? 'a tensor' : 'a sequence');
  const elements = isTensorData(content) ? [content] : content.elements;
  const other = elements.find((t) => t.dtype !== dtype);
  if (other) throw refuse(`made of ${other.dtype}`);
  return elements;
}

function joined(elements: readonly TensorData[], dtype: string): TensorData {
  const shape = [elements.reduce((n, t) => n + elementCount(t.shape), 0)];
  if (dtype === 'string')
    return { dtype, shape, bytes: new Uint8Array(), strings: elements.flatMap((t) => t.strings ?? []) };
  const bytes = new Uint8Array(elements.reduce((n, t) => n + t.bytes.byteLength, 0));
  let at = 0;
  for (const t of elements) {
    bytes.set(t.bytes, at);
    at += t.bytes.byteLength;
  }
  return { dtype, shape, bytes };
}

function integers(values: readonly number[]): TensorData {
  return {
    dtype: 'i64',
    shape: [values.length],
    bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
  };
}

/** The value whose parts these are. */
export function unpacked(parts: readonly TensorData[], { kind }: Container): ValueData {
  const [elements, shapes, ranks, present] = parts;
  const extents = numbers(shapes!);
  const width = (bitsOf(elements!.dtype) ?? 0) / 8;
  const found: TensorData[] = [];
  let at = 0;
  let axis = 0;
  for (const rank of numbers(ranks!)) {
    const shape = extents.slice(axis, axis + rank);
    const end = at + elementCount(shape);
    const { dtype, bytes, strings } = elements!;
    const own = { dtype, shape, bytes: bytes.slice(at * width, end * width) };
    found.push(strings ? { ...own, strings: strings.slice(at, end) } : own);
    at = end;
    axis += rank;
  }
  const sequence: SequenceData = { kind: 'sequence', elements: found };
  switch (kind) {
    case 'sequence':
      return sequence;
    case 'optional':
      return found[0] ? { kind, value: found[0] } : { kind };
    case 'optional sequence':
      return present!.bytes[0] ? { kind: 'optional', value: sequence } : { kind: 'optional' };
    default:
      return kind satisfies never;
  }
}

const numbers = ({ bytes }: TensorData): readonly number[] =>
  Array.from(new BigInt64Array(bytes.slice().buffer), Number);
