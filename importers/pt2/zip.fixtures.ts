import { crc32 } from 'node:zlib';

export interface Written {
  readonly name: string;
  readonly data: Uint8Array;
  /** Compression method in the headers. */
  readonly method?: number;
  /** Size that the headers claim. */
  readonly claimed?: number;
  /** Sizes and offset in a zip64 field. */
  readonly zip64?: boolean;
}

/** A zip archive of stored members, with whatever is wrong about them. */
export function zipOf(
  members: readonly Written[],
  options: { readonly count?: number; readonly zip64?: boolean } = {},
): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const push = (to: Uint8Array[], bytes: Uint8Array): void => {
    to.push(bytes);
    if (to === parts) at += bytes.length;
  };
  for (const m of members) {
    const name = new TextEncoder().encode(m.name);
    const size = m.claimed ?? m.data.length;
    const offset = at;
    const extra = m.zip64
      ? Buffer.concat([u16(1), u16(24), u64(size), u64(size), u64(offset)])
      : Buffer.alloc(0);
    const [size32, offset32] = m.zip64 ? [0xffffffff, 0xffffffff] : [size, offset];
    const common = Buffer.concat([
      u16(45),
      u16(0),
      u16(m.method ?? 0),
      u16(0),
      u16(0),
      u32(checksum(m.data)),
      u32(size32),
      u32(size32),
    ]);
    // Local headers are padded so that the data are aligned: their extra field differs from the directory's.
    const padding = Buffer.alloc(7, 'Z');
    push(
      parts,
      Buffer.concat([u32(0x04034b50), common, u16(name.length), u16(padding.length), name, padding]),
    );
    push(parts, m.data);
    const tail = [u16(name.length), u16(extra.length), u16(0), u16(0), u16(0), u32(0), u32(offset32)];
    push(directory, Buffer.concat([u32(0x02014b50), u16(45), common, ...tail, name, extra]));
  }
  const central = Buffer.concat(directory);
  const count = options.count ?? members.length;
  const end64 = Buffer.concat([
    u32(0x06064b50),
    u64(44),
    u16(45),
    u16(45),
    u32(0),
    u32(0),
    u64(count),
    u64(count),
    u64(central.length),
    u64(at),
  ]);
  const locator = Buffer.concat([u32(0x07064b50), u32(0), u64(at + central.length), u32(1)]);
  const [count16, length32, start32] = options.zip64
    ? [0xffff, 0xffffffff, 0xffffffff]
    : [Math.min(count, 0xffff), central.length, at];
  const end = Buffer.concat([
    u32(0x06054b50),
    u16(0),
    u16(0),
    u16(count16),
    u16(count16),
    u32(length32),
    u32(start32),
    u16(0),
  ]);
  return Buffer.concat([...parts, central, ...(options.zip64 ? [end64, locator] : []), end]);
}

// Node 20.19 has it; its types came later.
const checksum = (data: Uint8Array): number => (typeof crc32 === 'function' ? crc32(data) : 0);

function u16(x: number): Buffer {
  const b = Buffer.alloc(2);
  b.writeUInt16LE(x);
  return b;
}

function u32(x: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(x >>> 0);
  return b;
}

function u64(x: number): Buffer {
  const b = Buffer.alloc(8);
  b.writeBigUInt64LE(BigInt(x));
  return b;
}
