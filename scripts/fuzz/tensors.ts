import { elementTypeOf } from '../../src/onnx/dtype.js';
import type { Tensor } from '../../src/onnx/types.js';
import { dataLocation } from '../../src/onnx/types.js';
import type { Chance } from './chance.js';
import { type GraphChange, onTensor } from './graph-change.js';
import { extents } from './values.js';

/** Elements at the ends of their type's range, or nothing like what belongs there. */
function otherElements(t: Tensor, chance: Chance): Tensor {
  const type = elementTypeOf(t.dataType);
  if (t.rawData !== undefined) {
    const raw = t.rawData.slice();
    const fill = chance.pick([0, 0xff, 0x7f, 0x80, undefined]);
    const words =
      type === 'i64'
        ? new BigInt64Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + (raw.byteLength & ~7)))
        : undefined;
    if (words !== undefined && words.length > 0 && chance.once(2)) {
      words[chance.below(words.length)] = BigInt(
        chance.pick([-1, 0, 1, 2, 3, -5, 2 ** 31, 2 ** 40, -(2 ** 40)]),
      );
      return { ...t, rawData: new Uint8Array(words.buffer) };
    }
    return { ...t, rawData: raw.map((b) => (chance.once(2) ? (fill ?? chance.below(256)) : b)) };
  }
  return {
    ...t,
    floatData: t.floatData.map((x) => chance.pick([x, Number.NaN, Number.POSITIVE_INFINITY, 0, -1e30])),
    int64Data: t.int64Data.map((x) => chance.pick([x, -1n, 0n, 1n, 2n ** 40n])),
    int32Data: t.int32Data.map((x) => chance.pick([x, -1, 0, 1, 2 ** 31 - 1])),
  };
}

const places = [
  '../secret.bin',
  '/etc/hostname',
  'model.onnx',
  '',
  '.',
  'a\0b',
  'no_such_file.bin',
  '\\\\server\\x',
];

/** What constants hold. */
export const tensorChanges: Readonly<Record<string, GraphChange>> = {
  'constant elements': (g, _, chance) => onTensor(g, chance, (t) => otherElements(t, chance)),
  'constant dims': (g, _, chance) =>
    onTensor(g, chance, (t) => {
      const dims = chance.pick([
        [...t.dims, 1],
        t.dims.slice(1),
        [0, ...t.dims],
        t.dims.map(() => chance.pick(extents)),
        [],
        t.dims.toReversed(),
      ]);
      return { ...t, dims };
    }),
  'constant type': (g, _, chance) =>
    onTensor(g, chance, (t) => ({ ...t, dataType: chance.pick([...Array(30).keys(), -1, 99]) })),
  'constant too short or long': (g, _, chance) =>
    onTensor(g, chance, (t) => {
      const raw = t.rawData ?? new Uint8Array(8);
      return {
        ...t,
        rawData: chance.once(2) ? raw.slice(0, chance.below(raw.length)) : new Uint8Array([...raw, 1, 2, 3]),
      };
    }),
  'constant emptied': (g, _, chance) =>
    onTensor(g, chance, (t) => ({
      ...t,
      dims: t.dims.map((d, i) => (i === 0 ? 0 : d)),
      rawData: new Uint8Array(0),
    })),
  'constant elsewhere': (g, _, chance) =>
    onTensor(g, chance, (t) => ({
      ...t,
      dataLocation: dataLocation.external,
      rawData: undefined,
      externalData: [
        { key: 'location', value: chance.pick(places) },
        { key: 'offset', value: chance.pick(['0', '-1', '4096', '1e99', 'x']) },
        { key: 'length', value: chance.pick(['4', '-4', '99999999999999', '']) },
      ],
    })),
  'constant left out or doubled': (g, _, chance) =>
    onTensor(g, chance, (t) => (chance.once(2) ? [] : [t, t])),
};
