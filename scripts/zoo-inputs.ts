import { seededInputs } from '../src/accuracy/seeded-inputs.js';
import type { TensorData } from '../src/support/tensor-data.js';
import type { ZooInput, ZooInputs } from './zoo-fetch.js';

const dtypes: Readonly<Record<ZooInput['dtype'], string>> = { float32: 'f32', int32: 'i32', int64: 'i64' };

/** Tensors as the zoo lists a model's inputs: drawn from their ranges, or the values themselves. */
export function zooFeeds(inputs: ZooInputs, seed = 7): Map<string, TensorData> {
  const fixed: [string, TensorData][] = [];
  const drawn = Object.entries(inputs).flatMap(([name, spec]) => {
    const dtype = dtypes[spec.dtype];
    if (spec.value !== undefined) {
      fixed.push([name, filled(dtype, spec.shape, spec.value)]);
      return [];
    }
    const high = spec.high === undefined ? undefined : dtype === 'f32' ? spec.high : spec.high - 1;
    return [{ name, dtype, shape: spec.shape, low: spec.low, high }];
  });
  return new Map([...seededInputs(drawn, seed), ...fixed]);
}

function filled(dtype: string, shape: readonly number[], value: number | readonly number[]): TensorData {
  const count = shape.reduce((a, b) => a * b, 1);
  const at = (i: number): number => (typeof value === 'number' ? value : value[i]!);
  const numbers = Array.from({ length: count }, (_, i) => at(i));
  const words =
    dtype === 'f32'
      ? Float32Array.from(numbers)
      : dtype === 'i32'
        ? Int32Array.from(numbers)
        : BigInt64Array.from(numbers, BigInt);
  return { dtype, shape, bytes: new Uint8Array(words.buffer) };
}

/** `1x3x640x640`, inputs of the same shape once. */
export const shapesText = (inputs: ZooInputs): string =>
  [...new Set(Object.values(inputs).map(({ shape }) => shape.join('x') || 'scalar'))].join(', ');
