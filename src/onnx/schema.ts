/** The messages of `onnx-ml.proto` and `onnx-data.proto` (IR version 14), one table each. */
import {
  byteStrings,
  count,
  counts,
  doubleVector,
  type Field,
  floats,
  floatVector,
  int32,
  int32Vector,
  int64,
  int64Vector,
  ints,
  maybe,
  oneof,
  record,
  records,
  required,
  type Schema,
  schema,
  string,
  strings,
  uint64Vector,
} from './field.js';
import type * as t from './types.js';
import * as wire from './wire.js';

function typeCase<T>(number: number, of: () => Schema<T>): Field<T | undefined> {
  return oneof('value', record(number, of));
}

export const model: Schema<t.Model> = schema('ModelProto', {
  irVersion: count(1),
  opsetImport: records(8, () => operatorSetId),
  producerName: string(2),
  producerVersion: string(3),
  domain: string(4),
  modelVersion: int64(5),
  docString: string(6),
  graph: required(record(7, () => graph)),
  metadataProps: records(14, () => stringEntry),
  trainingInfo: records(20, () => trainingInfo),
  functions: records(25, () => functionProto),
  configuration: records(26, () => deviceConfiguration),
});

export const operatorSetId: Schema<t.OperatorSetId> = schema('OperatorSetIdProto', {
  domain: string(1),
  version: count(2),
});

export const stringEntry: Schema<t.StringEntry> = schema('StringStringEntryProto', {
  key: string(1),
  value: string(2),
});

export const graph: Schema<t.Graph> = schema('GraphProto', {
  node: records(1, () => node),
  name: string(2),
  initializer: records(5, () => tensor),
  sparseInitializer: records(15, () => sparseTensor),
  docString: string(10),
  input: records(11, () => valueInfo),
  output: records(12, () => valueInfo),
  valueInfo: records(13, () => valueInfo),
  quantizationAnnotation: records(14, () => tensorAnnotation),
  metadataProps: records(16, () => stringEntry),
});

export const node: Schema<t.Node> = schema('NodeProto', {
  input: strings(1),
  output: strings(2),
  name: string(3),
  opType: string(4),
  domain: string(7),
  overload: string(8),
  attribute: records(5, () => attribute),
  docString: string(6),
  metadataProps: records(9, () => stringEntry),
  deviceConfigurations: records(10, () => nodeDeviceConfiguration),
});

export const attribute: Schema<t.Attribute> = schema('AttributeProto', {
  name: string(1),
  refAttrName: string(21),
  docString: string(13),
  type: int32(20),
  f: maybe(2, wire.float),
  i: maybe(3, wire.int64),
  s: maybe(4, wire.bytes),
  t: record(5, () => tensor),
  g: record(6, () => graph),
  sparseTensor: record(22, () => sparseTensor),
  tp: record(14, () => typeProto),
  floats: floats(7),
  ints: ints(8),
  strings: byteStrings(9),
  tensors: records(10, () => tensor),
  graphs: records(11, () => graph),
  sparseTensors: records(23, () => sparseTensor),
  typeProtos: records(15, () => typeProto),
});

export const tensor: Schema<t.Tensor> = schema('TensorProto', {
  dims: counts(1),
  dataType: int32(2),
  segment: record(3, () => tensorSegment),
  floatData: floatVector(4),
  int32Data: int32Vector(5),
  stringData: byteStrings(6),
  int64Data: int64Vector(7),
  name: string(8),
  docString: string(12),
  rawData: maybe(9, wire.bytes),
  externalData: records(13, () => stringEntry),
  dataLocation: int32(14),
  doubleData: doubleVector(10),
  uint64Data: uint64Vector(11),
  metadataProps: records(16, () => stringEntry),
});

export const tensorSegment: Schema<t.TensorSegment> = schema('TensorProto.Segment', {
  begin: count(1),
  end: count(2),
});

export const sparseTensor: Schema<t.SparseTensor> = schema('SparseTensorProto', {
  values: record(1, () => tensor),
  indices: record(2, () => tensor),
  dims: counts(3),
});

export const valueInfo: Schema<t.ValueInfo> = schema('ValueInfoProto', {
  name: string(1),
  type: record(2, () => typeProto),
  docString: string(3),
  metadataProps: records(4, () => stringEntry),
});

export const typeProto: Schema<t.TypeProto> = schema('TypeProto', {
  tensorType: typeCase(1, () => tensorType),
  sequenceType: typeCase(4, () => elementOf),
  mapType: typeCase(5, () => mapType),
  optionalType: typeCase(9, () => elementOf),
  sparseTensorType: typeCase(8, () => tensorType),
  opaqueType: typeCase(7, () => opaqueType),
  denotation: string(6),
});

export const tensorType: Schema<t.TensorType> = schema('TypeProto.Tensor', {
  elemType: int32(1),
  shape: record(2, () => tensorShape),
});

export const elementOf: Schema<t.ElementOf> = schema('TypeProto.Sequence', {
  elemType: record(1, () => typeProto),
});

export const mapType: Schema<t.MapType> = schema('TypeProto.Map', {
  keyType: int32(1),
  valueType: record(2, () => typeProto),
});

export const opaqueType: Schema<t.OpaqueType> = schema('TypeProto.Opaque', {
  domain: string(1),
  name: string(2),
});

export const tensorShape: Schema<t.TensorShape> = schema('TensorShapeProto', {
  dim: records(1, () => dimension),
});

export const dimension: Schema<t.Dimension> = schema('TensorShapeProto.Dimension', {
  dimValue: oneof('value', maybe(1, wire.count)),
  dimParam: oneof('value', maybe(2, wire.string)),
  denotation: string(3),
});

export const functionProto: Schema<t.FunctionProto> = schema('FunctionProto', {
  name: string(1),
  input: strings(4),
  output: strings(5),
  attribute: strings(6),
  attributeProto: records(11, () => attribute),
  node: records(7, () => node),
  docString: string(8),
  opsetImport: records(9, () => operatorSetId),
  domain: string(10),
  overload: string(13),
  valueInfo: records(12, () => valueInfo),
  metadataProps: records(14, () => stringEntry),
});

export const trainingInfo: Schema<t.TrainingInfo> = schema('TrainingInfoProto', {
  initialization: record(1, () => graph),
  algorithm: record(2, () => graph),
  initializationBinding: records(3, () => stringEntry),
  updateBinding: records(4, () => stringEntry),
});

export const tensorAnnotation: Schema<t.TensorAnnotation> = schema('TensorAnnotation', {
  tensorName: string(1),
  quantParameterTensorNames: records(2, () => stringEntry),
});

export const deviceConfiguration: Schema<t.DeviceConfiguration> = schema('DeviceConfigurationProto', {
  name: string(1),
  numDevices: int32(2),
  device: strings(3),
});

export const nodeDeviceConfiguration: Schema<t.NodeDeviceConfiguration> = schema(
  'NodeDeviceConfigurationProto',
  {
    configurationId: string(1),
    shardingSpec: records(2, () => shardingSpec),
    pipelineStage: maybe(3, wire.int32),
  },
);

export const shardingSpec: Schema<t.ShardingSpec> = schema('ShardingSpecProto', {
  tensorName: string(1),
  device: counts(2),
  indexToDeviceGroupMap: records(3, () => deviceGroup),
  shardedDim: records(4, () => shardedDim),
});

export const deviceGroup: Schema<t.DeviceGroup> = schema('IntIntListEntryProto', {
  key: count(1),
  value: counts(2),
});

export const shardedDim: Schema<t.ShardedDim> = schema('ShardedDimProto', {
  axis: count(1),
  simpleSharding: records(2, () => simpleShardedDim),
});

export const simpleShardedDim: Schema<t.SimpleShardedDim> = schema('SimpleShardedDimProto', {
  dimValue: oneof('dim', maybe(1, wire.count)),
  dimParam: oneof('dim', maybe(2, wire.string)),
  numShards: count(3),
});

export const sequenceProto: Schema<t.SequenceProto> = schema('SequenceProto', {
  name: string(1),
  elemType: int32(2),
  tensorValues: records(3, () => tensor),
  sparseTensorValues: records(4, () => sparseTensor),
  sequenceValues: records(5, () => sequenceProto),
  mapValues: records(6, () => mapProto),
  optionalValues: records(7, () => optionalProto),
});

export const mapProto: Schema<t.MapProto> = schema('MapProto', {
  name: string(1),
  keyType: int32(2),
  keys: ints(3),
  stringKeys: byteStrings(4),
  values: record(5, () => sequenceProto),
});

export const optionalProto: Schema<t.OptionalProto> = schema('OptionalProto', {
  name: string(1),
  elemType: int32(2),
  tensorValue: record(3, () => tensor),
  sparseTensorValue: record(4, () => sparseTensor),
  sequenceValue: record(5, () => sequenceProto),
  mapValue: record(6, () => mapProto),
  optionalValue: record(7, () => optionalProto),
});
