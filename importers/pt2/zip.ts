import type { Blob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';

/** A file inside a zip archive whose members are stored as they are. */
export interface Member {
  readonly name: string;
  readonly blob: Blob;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const locator64Signature = 0x07064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endLength = 22;
// A comment of 65,535 bytes may follow the end record.
const longestTail = endLength + 0xffff;
// Far more members than any model has weights; a directory beyond it is an attack or a broken file.
const mostMembers = 2 ** 20;
const longestDirectory = 2 ** 28;

export const isZip = (file: Blob): boolean =>
  file.byteLength >= endLength && viewOf(file.read(0, 4)).getUint32(0, true) === localSignature;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const broken = (what: string): CompileError =>
  new CompileError('bad-zip', `the archive is damaged: ${what}`, 'save or download the file again');

/** The members of an archive by name, none of them read yet. Sizes come from the central directory. */
export function readZip(file: Blob): ReadonlyMap<string, Member> {
  const { offset, length, count } = findDirectory(file);
  const directory = slice(file, offset, length, 'the central directory');
  const view = viewOf(directory);
  const entries: Entry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || view.getUint32(at, true) !== entrySignature)
      throw broken(`entry ${i} of the central directory does not begin where it must`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => view.getUint16(at + o, true));
    const next = at + 46 + nameLength! + extraLength! + commentLength!;
    if (next > length) throw broken(`entry ${i} of the central directory ends outside it`);
    const name = new TextDecoder().decode(directory.subarray(at + 46, at + 46 + nameLength!));
    checkName(name);
    const extra = directory.subarray(at + 46 + nameLength!, at + 46 + nameLength! + extraLength!);
    const entry = entrySizes(view, at, extra, name);
    checkStored(view.getUint16(at + 8, true), view.getUint16(at + 10, true), entry, name);
    entries.push({ name, offset: entry.offset, size: entry.size, least: 30 + nameLength! + entry.size });
    at = next;
  }
  return membersOf(file, entries, offset);
}

interface Entry {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** Bytes that header and data take at least. */
  readonly least: number;
}

/** Headers are read with the data: an archive may have a million members, of which nobody wants one. */
function membersOf(file: Blob, entries: readonly Entry[], directory: number): ReadonlyMap<string, Member> {
  const ordered = [...entries].sort((a, b) => a.offset - b.offset);
  const members = new Map<string, Member>();
  ordered.forEach(({ name, offset, size, least }, i) => {
    // Members that share bytes make a small file look like a huge one.
    const following = ordered[i + 1]?.offset ?? directory;
    if (offset + least > directory) throw broken(`"${name}" lies outside the archive`);
    if (offset + least > following) throw broken('two members overlap');
    if (members.has(name)) throw broken(`there are two members named "${name}"`);
    let blob: Blob | undefined;
    members.set(name, {
      name,
      get blob() {
        if (!blob) {
          const start = dataStart(file, offset, name);
          if (start + size > following) throw broken(`"${name}" reaches into what follows it`);
          blob = part(file, start, size);
        }
        return blob;
      },
    });
  });
  // In the order of the directory, as the archive was written.
  return new Map(entries.map(({ name }) => [name, members.get(name)!]));
}

/** A part of a blob as a blob. */
export function part(of: Blob, start: number, byteLength: number): Blob {
  return {
    byteLength,
    read(offset = 0, length = byteLength - offset) {
      if (offset < 0 || length < 0 || offset + length > byteLength)
        throw new CompileError('bad-range', `bytes ${offset}+${length} lie outside a part of ${byteLength}`);
      return of.read(start + offset, length);
    },
  };
}

function slice(file: Blob, offset: number, length: number, what: string): Uint8Array {
  if (!Number.isSafeInteger(offset + length) || offset < 0 || offset + length > file.byteLength)
    throw broken(`${what} lies outside the file`);
  return file.read(offset, length);
}

interface Directory {
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

function findDirectory(file: Blob): Directory {
  const tailStart = Math.max(0, file.byteLength - longestTail);
  const tail = file.read(tailStart);
  const view = viewOf(tail);
  for (let at = tail.length - endLength; at >= 0; at--) {
    if (view.getUint32(at, true) !== endSignature) continue;
    if (at + endLength + view.getUint16(at + 20, true) > tail.length) continue;
    const found = {
      count: view.getUint16(at + 10, true),
      length: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const needs64 = found.count === 0xffff || found.length === 0xffffffff || found.offset === 0xffffffff;
    const directory = needs64 ? directory64(file, tailStart + at) : found;
    if (directory.count > mostMembers || directory.length > longestDirectory)
      throw broken(`it claims to have ${directory.count} members`);
    return directory;
  }
  throw broken('it has no central directory, as if it had been cut off');
}

function directory64(file: Blob, end: number): Directory {
  const locator = viewOf(slice(file, end - 20, 20, 'the zip64 locator'));
  if (locator.getUint32(0, true) !== locator64Signature) throw broken('the zip64 locator is missing');
  const record = viewOf(slice(file, big(locator, 8), 56, 'the zip64 end record'));
  if (record.getUint32(0, true) !== end64Signature) throw broken('the zip64 end record is missing');
  return { count: big(record, 32), length: big(record, 40), offset: big(record, 48) };
}

function big(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken('a size is beyond what a file can have');
  return Number(value);
}

interface Sizes {
  readonly size: number;
  readonly packed: number;
  readonly offset: number;
}

/** Sizes of an entry; those that do not fit 32 bits stand in the zip64 extra field, in this order. */
function entrySizes(view: DataView, at: number, extra: Uint8Array, name: string): Sizes {
  let size = view.getUint32(at + 24, true);
  let packed = view.getUint32(at + 20, true);
  let offset = view.getUint32(at + 42, true);
  const fields = viewOf(extra);
  for (let i = 0; i + 4 <= extra.length; ) {
    const length = fields.getUint16(i + 2, true);
    if (fields.getUint16(i, true) === 1) {
      let from = i + 4;
      const next = (): number => {
        if (from + 8 > Math.min(i + 4 + length, extra.length))
          throw broken(`the zip64 sizes of "${name}" are cut off`);
        from += 8;
        return big(fields, from - 8);
      };
      if (size === 0xffffffff) size = next();
      if (packed === 0xffffffff) packed = next();
      if (offset === 0xffffffff) offset = next();
    }
    i += 4 + length;
  }
  return { size, packed, offset };
}

function checkName(name: string): void {
  if (name === '' || name.startsWith('/') || /[\\\0]/.test(name) || name.split('/').includes('..'))
    throw broken(`a member has the name ${JSON.stringify(name)}, which leads out of the archive`);
}

function checkStored(flags: number, method: number, { size, packed }: Sizes, name: string): void {
  if (flags & 1)
    throw new CompileError('encrypted-zip', `"${name}" is encrypted`, 'save the model without a password');
  if (method !== 0 || size !== packed)
    throw new CompileError(
      'compressed-zip',
      `"${name}" is compressed; PyTorch stores the members of its archives as they are`,
      'the archive was packed anew by another program: unpack it and pack it with "zip -0"',
    );
}

/** Where a member's bytes begin: its local header has an extra field of its own. */
function dataStart(file: Blob, header: number, name: string): number {
  const local = viewOf(slice(file, header, 30, `the header of "${name}"`));
  if (local.getUint32(0, true) !== localSignature) throw broken(`"${name}" has no header`);
  return header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
}
