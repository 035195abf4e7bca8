import type { Chance } from './chance.js';

/** What happens to a file on its way: bits that flip, an end that is missing, pieces of other files. */
export type ByteMutation = 'flipped bits' | 'truncated' | 'overwritten bytes' | 'spliced fields';

export const byteMutations: readonly ByteMutation[] = [
  'flipped bits',
  'truncated',
  'overwritten bytes',
  'spliced fields',
];

export function mutateBytes(
  bytes: Uint8Array,
  donor: Uint8Array,
  kind: ByteMutation,
  chance: Chance,
): Uint8Array {
  switch (kind) {
    case 'flipped bits': {
      const out = bytes.slice();
      for (let n = 1 + chance.below(8); n > 0; n--) out[chance.below(out.length)]! ^= 1 << chance.below(8);
      return out;
    }
    case 'truncated':
      return bytes.slice(0, chance.below(bytes.length));
    case 'overwritten bytes': {
      const out = bytes.slice();
      const from = chance.below(out.length);
      const count = Math.min(out.length - from, 1 + chance.below(16));
      const value = chance.pick([0, 0xff, 0x80, 0x7f, undefined]);
      for (let i = 0; i < count; i++) out[from + i] = value ?? chance.below(256);
      return out;
    }
    case 'spliced fields':
      return spliced(bytes, donor, chance);
    default:
      return kind satisfies never;
  }
}

interface RawField {
  /** The field with its tag. */
  readonly whole: Uint8Array;
  readonly tag: Uint8Array;
  /** Of a length-delimited field. */
  readonly body: Uint8Array | undefined;
}

/** The fields of a protobuf message, or undefined where the bytes are none. */
function fieldsOf(bytes: Uint8Array): readonly RawField[] | undefined {
  const fields: RawField[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length && shift < 63; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const start = at;
    const wire = varint() % 8;
    const tag = bytes.subarray(start, at);
    let body: Uint8Array | undefined;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = varint();
      if (!(length <= bytes.length - at)) return undefined;
      body = bytes.subarray(at, at + length);
      at += length;
    } else return undefined;
    if (at > bytes.length) return undefined;
    fields.push({ whole: bytes.subarray(start, at), tag, body });
  }
  return fields;
}

/** Fields left out, doubled, reordered, replaced by those of another file, at any depth. */
function spliced(bytes: Uint8Array, donor: Uint8Array, chance: Chance): Uint8Array {
  const fields = fieldsOf(bytes);
  if (fields === undefined || fields.length === 0) return bytes;
  const theirs = fieldsOf(donor) ?? [];
  const deeper = fields.filter((f) => f.body !== undefined && f.body.length > 1);
  if (deeper.length > 0 && !chance.once(4)) {
    const chosen = chance.pick(deeper);
    const alike = theirs.filter((f) => f.body !== undefined && sameBytes(f.tag, chosen.tag));
    const other = alike.length > 0 ? chance.pick(alike).body! : donor;
    const body = spliced(chosen.body!, other, chance);
    return joined(fields.map((f) => (f === chosen ? delimited(f.tag, body) : f.whole)));
  }
  const wholes = fields.map((f) => f.whole);
  switch (chance.below(theirs.length > 0 ? 5 : 3)) {
    case 0:
      return joined(chance.changed(wholes, () => []));
    case 1:
      return joined(chance.changed(wholes, (f) => [f, f]));
    case 2:
      return joined(wholes.toReversed());
    case 3:
      return joined(chance.changed(wholes, () => chance.pick(theirs).whole));
    default:
      return joined(chance.changed(wholes, (f) => [f, chance.pick(theirs).whole]));
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

function delimited(tag: Uint8Array, body: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = body.length;
  for (; rest > 127; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128);
  return joined([tag, Uint8Array.from([...length, rest]), body]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
