import type { TensorData } from './tensor-data.js';

export interface SequenceData {
  readonly kind: 'sequence';
  readonly elements: readonly TensorData[];
}

export interface OptionalData {
  readonly kind: 'optional';
  /** Absent: the optional is empty. */
  readonly value?: TensorData | SequenceData;
}

/** Whatever an ONNX graph takes or gives. */
export type ValueData = TensorData | SequenceData | OptionalData;

export const isTensorData = (value: ValueData): value is TensorData => !('kind' in value);
