import { InferenceSession } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { type Container, containerOf, packed, partsOf, unpacked } from '../artifact/container.js';
import { withPackedPorts } from '../artifact/container-nodes.js';
import { encodeModel } from '../onnx/encode.js';
import { make, makeGraph, makeModel, makeNode, makeOpset, tensorTypeProto } from '../onnx/make.js';
import * as schemas from '../onnx/schema.js';
import type { TypeProto } from '../onnx/types.js';
import type { TensorData } from '../support/tensor-data.js';
import type { ValueData } from '../support/value-data.js';
import { fromOrt, toOrt } from './ort-tensor.js';

const f32 = (shape: readonly number[], ...values: number[]): TensorData => {
  return { dtype: 'f32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
};
const texts = (...strings: string[]): TensorData => {
  return { dtype: 'string', shape: [strings.length], bytes: new Uint8Array(), strings };
};

const some = [f32([2, 2], 1, 2, 3, 4), f32([], 5), f32([0, 3]), f32([1], -6)];
const cases: readonly (readonly [type: string, value: ValueData])[] = [
  ['sequence<f32[*]>', { kind: 'sequence', elements: some }],
  ['sequence<f32[N]>', { kind: 'sequence', elements: [] }],
  ['sequence<string[?]>', { kind: 'sequence', elements: [texts('a', 'ß'), texts(), texts('')] }],
  ['optional<f32[2,2]>', { kind: 'optional', value: some[0]! }],
  ['optional<f32[]>', { kind: 'optional' }],
  ['optional<sequence<f32[*]>>', { kind: 'optional', value: { kind: 'sequence', elements: some } }],
  ['optional<sequence<f32[*]>>', { kind: 'optional', value: { kind: 'sequence', elements: [] } }],
  ['optional<sequence<f32[*]>>', { kind: 'optional' }],
];

test.each(cases)('%s %# through its parts', (type, value) => {
  const container = containerOf(type)!;
  expect(unpacked(packed('x', value, container), container)).toEqual(value);
});

test.each(cases)('%s %# through onnxruntime, in and out', async (type, value) => {
  const container = containerOf(type)!;
  const session = await InferenceSession.create(encodeModel(passThrough(container)));
  const parts = packed('x', value, container);
  const names = partsOf('x', container);
  const outputs = await session.run(Object.fromEntries(names.map((n, i) => [n, toOrt(parts[i]!)])));
  const back = partsOf('y', container).map((n) => fromOrt(outputs[n]!));
  await session.release();
  expect(unpacked(back, container)).toEqual(value);
});

test('tensors, maps and nested sequences are no containers', () => {
  const others = [
    'f32',
    'unknown',
    'map<i64,f32[]>',
    'sequence<sequence<f32[*]>>',
    'sequence<map<i64,f32[]>>',
  ];
  expect(others.map(containerOf)).toEqual(others.map(() => undefined));
});

test('what is not the declared container is refused by name', () => {
  const sequence = containerOf('sequence<f32[*]>')!;
  expect(() => packed('x', f32([1], 1), sequence)).toThrow('"x" is a tensor');
  expect(() => packed('x', { kind: 'optional' }, sequence)).toThrow('"x" is an optional');
  expect(() => packed('x', { kind: 'sequence', elements: [texts('a')] }, sequence)).toThrow('made of string');
});

function passThrough(container: Container) {
  const type = typeOf(container);
  const port = (name: string) => make(schemas.valueInfo, { name, type });
  const graph = makeGraph({
    name: 'pass',
    input: [port('x')],
    output: [port('y')],
    node: [makeNode({ opType: 'Identity', input: ['x'], output: ['y'] })],
  });
  const model = makeModel({ irVersion: 10, opsetImport: [makeOpset('', 21)], graph });
  return withPackedPorts(model, () => container);
}

function typeOf({ kind, dtype }: Container): TypeProto {
  const tensor = tensorTypeProto(dtype as 'f32' | 'string');
  if (kind === 'optional') return make(schemas.typeProto, { optionalType: { elemType: tensor } });
  const sequence = make(schemas.typeProto, { sequenceType: { elemType: tensor } });
  return kind === 'sequence' ? sequence : make(schemas.typeProto, { optionalType: { elemType: sequence } });
}
