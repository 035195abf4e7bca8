/** The element types of ONNX tensors: number in the format, our name, bits of one packed element. */
const TABLE = [
  [1, 'f32', 32],
  [2, 'u8', 8],
  [3, 'i8', 8],
  [4, 'u16', 16],
  [5, 'i16', 16],
  [6, 'i32', 32],
  [7, 'i64', 64],
  [8, 'string', 0],
  [9, 'bool', 8],
  [10, 'f16', 16],
  [11, 'f64', 64],
  [12, 'u32', 32],
  [13, 'u64', 64],
  [14, 'c64', 64],
  [15, 'c128', 128],
  [16, 'bf16', 16],
  [17, 'f8e4m3fn', 8],
  [18, 'f8e4m3fnuz', 8],
  [19, 'f8e5m2', 8],
  [20, 'f8e5m2fnuz', 8],
  [21, 'u4', 4],
  [22, 'i4', 4],
  [23, 'f4e2m1', 4],
  [24, 'f8e8m0', 8],
  [25, 'u2', 2],
  [26, 'i2', 2],
  [27, 'f6e2m3', 6],
  [28, 'f6e3m2', 6],
] as const;

export type ElementType = (typeof TABLE)[number][1];

export const elementTypes: readonly ElementType[] = TABLE.map(([, name]) => name);

const nameOf = new Map<number, ElementType>(TABLE.map(([number, name]) => [number, name]));
const numberOf = new Map<ElementType, number>(TABLE.map(([number, name]) => [name, number]));
const bits = new Map<ElementType, number>(TABLE.map(([, name, width]) => [name, width]));

/** The name of a `TensorProto.DataType`; `undefined` for 0 and for types newer than this table. */
export function elementTypeOf(dataType: number): ElementType | undefined {
  return nameOf.get(dataType);
}

export function dataTypeOf(name: ElementType): number {
  return numberOf.get(name)!;
}

/** Bits of one element; elements below 8 bits lie packed, the first in the lowest bits. 0 for strings. */
export function bitsOf(name: ElementType): number {
  return bits.get(name)!;
}

/** Bytes of `count` packed elements. */
export function packedBytes(name: ElementType, count: number): number {
  const width = bitsOf(name);
  return width < 8 ? Math.ceil((count * width) / 8) : count * (width / 8);
}
