/**
 * The messages of ONNX (IR version 14) as plain records, named as in `onnx.proto` in camel case.
 * A message, oneof member or value whose absence means something is `undefined` when absent; every other scalar
 * has its protobuf default. `int64` fields that count or index are safe integers; those that carry data are bigints.
 */

export interface Model {
  readonly irVersion: number;
  readonly opsetImport: readonly OperatorSetId[];
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: bigint;
  readonly docString: string;
  readonly graph: Graph;
  readonly metadataProps: readonly StringEntry[];
  readonly trainingInfo: readonly TrainingInfo[];
  readonly functions: readonly FunctionProto[];
  readonly configuration: readonly DeviceConfiguration[];
}

export interface OperatorSetId {
  readonly domain: string;
  readonly version: number;
}

export interface StringEntry {
  readonly key: string;
  readonly value: string;
}

export interface Graph {
  readonly node: readonly Node[];
  readonly name: string;
  readonly initializer: readonly Tensor[];
  readonly sparseInitializer: readonly SparseTensor[];
  readonly docString: string;
  readonly input: readonly ValueInfo[];
  readonly output: readonly ValueInfo[];
  readonly valueInfo: readonly ValueInfo[];
  readonly quantizationAnnotation: readonly TensorAnnotation[];
  readonly metadataProps: readonly StringEntry[];
}

export interface Node {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly overload: string;
  readonly attribute: readonly Attribute[];
  readonly docString: string;
  readonly metadataProps: readonly StringEntry[];
  readonly deviceConfigurations: readonly NodeDeviceConfiguration[];
}

export const attributeType = {
  undefined: 0,
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparseTensor: 11,
  sparseTensors: 12,
  typeProto: 13,
  typeProtos: 14,
} as const;

export interface Attribute {
  readonly name: string;
  /** Names an attribute of the enclosing function, whose value this one takes. */
  readonly refAttrName: string;
  readonly docString: string;
  /** One of `attributeType`; 0 in models older than IR version 2, where the field that is set tells the type. */
  readonly type: number;
  readonly f: number | undefined;
  readonly i: bigint | undefined;
  readonly s: Uint8Array | undefined;
  readonly t: Tensor | undefined;
  readonly g: Graph | undefined;
  readonly sparseTensor: SparseTensor | undefined;
  readonly tp: TypeProto | undefined;
  readonly floats: readonly number[];
  readonly ints: readonly bigint[];
  readonly strings: readonly Uint8Array[];
  readonly tensors: readonly Tensor[];
  readonly graphs: readonly Graph[];
  readonly sparseTensors: readonly SparseTensor[];
  readonly typeProtos: readonly TypeProto[];
}

export const dataLocation = { inline: 0, external: 1 } as const;

export interface Tensor {
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly segment: TensorSegment | undefined;
  readonly floatData: Float32Array;
  readonly int32Data: Int32Array;
  readonly stringData: readonly Uint8Array[];
  readonly int64Data: BigInt64Array;
  readonly name: string;
  readonly docString: string;
  /** A view into the decoded bytes, not a copy. */
  readonly rawData: Uint8Array | undefined;
  readonly externalData: readonly StringEntry[];
  /** One of `dataLocation`. */
  readonly dataLocation: number;
  readonly doubleData: Float64Array;
  readonly uint64Data: BigUint64Array;
  readonly metadataProps: readonly StringEntry[];
}

export interface TensorSegment {
  readonly begin: number;
  readonly end: number;
}

export interface SparseTensor {
  readonly values: Tensor | undefined;
  readonly indices: Tensor | undefined;
  readonly dims: readonly number[];
}

export interface ValueInfo {
  readonly name: string;
  readonly type: TypeProto | undefined;
  readonly docString: string;
  readonly metadataProps: readonly StringEntry[];
}

/** At most one of the `…Type` members is set. */
export interface TypeProto {
  readonly tensorType: TensorType | undefined;
  readonly sequenceType: ElementOf | undefined;
  readonly mapType: MapType | undefined;
  readonly optionalType: ElementOf | undefined;
  readonly sparseTensorType: TensorType | undefined;
  readonly opaqueType: OpaqueType | undefined;
  readonly denotation: string;
}

export interface TensorType {
  readonly elemType: number;
  /** Absent: unknown rank. */
  readonly shape: TensorShape | undefined;
}

export interface ElementOf {
  readonly elemType: TypeProto | undefined;
}

export interface MapType {
  readonly keyType: number;
  readonly valueType: TypeProto | undefined;
}

export interface OpaqueType {
  readonly domain: string;
  readonly name: string;
}

export interface TensorShape {
  readonly dim: readonly Dimension[];
}

/** With neither value nor parameter, a dimension nothing is known of. */
export interface Dimension {
  readonly dimValue: number | undefined;
  readonly dimParam: string | undefined;
  readonly denotation: string;
}

export interface FunctionProto {
  readonly name: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute: readonly string[];
  readonly attributeProto: readonly Attribute[];
  readonly node: readonly Node[];
  readonly docString: string;
  readonly opsetImport: readonly OperatorSetId[];
  readonly domain: string;
  readonly overload: string;
  readonly valueInfo: readonly ValueInfo[];
  readonly metadataProps: readonly StringEntry[];
}

export interface TrainingInfo {
  readonly initialization: Graph | undefined;
  readonly algorithm: Graph | undefined;
  readonly initializationBinding: readonly StringEntry[];
  readonly updateBinding: readonly StringEntry[];
}

export interface TensorAnnotation {
  readonly tensorName: string;
  readonly quantParameterTensorNames: readonly StringEntry[];
}

export interface DeviceConfiguration {
  readonly name: string;
  readonly numDevices: number;
  readonly device: readonly string[];
}

export interface NodeDeviceConfiguration {
  readonly configurationId: string;
  readonly shardingSpec: readonly ShardingSpec[];
  readonly pipelineStage: number | undefined;
}

export interface ShardingSpec {
  readonly tensorName: string;
  readonly device: readonly number[];
  readonly indexToDeviceGroupMap: readonly DeviceGroup[];
  readonly shardedDim: readonly ShardedDim[];
}

export interface DeviceGroup {
  readonly key: number;
  readonly value: readonly number[];
}

export interface ShardedDim {
  readonly axis: number;
  readonly simpleSharding: readonly SimpleShardedDim[];
}

export interface SimpleShardedDim {
  readonly dimValue: number | undefined;
  readonly dimParam: string | undefined;
  readonly numShards: number;
}

export const containerType = {
  undefined: 0,
  tensor: 1,
  sparseTensor: 2,
  sequence: 3,
  map: 4,
  optional: 5,
} as const;

/** A sequence value, as test data sets store it. */
export interface SequenceProto {
  readonly name: string;
  /** One of `containerType`. */
  readonly elemType: number;
  readonly tensorValues: readonly Tensor[];
  readonly sparseTensorValues: readonly SparseTensor[];
  readonly sequenceValues: readonly SequenceProto[];
  readonly mapValues: readonly MapProto[];
  readonly optionalValues: readonly OptionalProto[];
}

export interface MapProto {
  readonly name: string;
  readonly keyType: number;
  readonly keys: readonly bigint[];
  readonly stringKeys: readonly Uint8Array[];
  readonly values: SequenceProto | undefined;
}

export interface OptionalProto {
  readonly name: string;
  /** One of `containerType`; 0 for an empty optional. */
  readonly elemType: number;
  readonly tensorValue: Tensor | undefined;
  readonly sparseTensorValue: SparseTensor | undefined;
  readonly sequenceValue: SequenceProto | undefined;
  readonly mapValue: MapProto | undefined;
  readonly optionalValue: OptionalProto | undefined;
}
