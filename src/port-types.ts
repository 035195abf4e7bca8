import type { Port } from './artifact/manifest.js';
import { encodeBf16, encodeF16 } from './support/element-formats.js';
import { type TensorData, toNumbers } from './support/tensor-data.js';
import { isTensorData, type ValueData } from './support/value-data.js';

/** Values of the model in the types that the engine has for them; others as they are. */
export function inPortTypes<V extends ValueData>(
  ports: readonly Port[],
  values: ReadonlyMap<string, V>,
): Map<string, V> {
  return mapped(ports, values, ({ dtype, modelDtype }) => [modelDtype, dtype]);
}

/** Values of the engine in the types that the model has for them. */
export function inModelTypes<V extends ValueData>(
  ports: readonly Port[],
  values: ReadonlyMap<string, V>,
): Map<string, V> {
  return mapped(ports, values, ({ dtype, modelDtype }) => [dtype, modelDtype]);
}

function mapped<V extends ValueData>(
  ports: readonly Port[],
  values: ReadonlyMap<string, V>,
  typesOf: (port: Port) => readonly [from: string | undefined, to: string | undefined],
): Map<string, V> {
  const types = new Map(ports.flatMap((p) => (p.modelDtype === undefined ? [] : [[p.name, typesOf(p)]])));
  const convert = (name: string, value: V): V => {
    const [from, to] = types.get(name) ?? [];
    const fits = to !== undefined && isTensorData(value) && value.dtype === from;
    return fits ? { ...value, ...inType(value, to) } : value;
  };
  return new Map([...values].map(([name, value]) => [name, convert(name, value)]));
}

/** The elements of a tensor of floats rounded to another type. */
function inType(t: TensorData, dtype: string): TensorData {
  const numbers = toNumbers(t);
  const words =
    dtype === 'f32'
      ? Float32Array.from(numbers)
      : Uint16Array.from(numbers, dtype === 'f16' ? encodeF16 : encodeBf16);
  return { dtype, shape: t.shape, bytes: new Uint8Array(words.buffer) };
}
