import type { Literal } from '../../src/ir/literal.js';
import type { DType } from '../../src/ir/type.js';
import type { Blob } from '../../src/support/blob.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { literalIn } from './storage.js';
import { type Member, readZip } from './zip.js';

/*
 * torch.save writes a pickle, a program for a stack machine. This reads the few instructions that describe dicts
 * of tensors, and builds those: it calls nothing, whatever names the pickle holds.
 */

export type Unpickled =
  | { readonly kind: 'none' }
  | { readonly kind: 'value'; readonly value: boolean | number | bigint | string }
  | { readonly kind: 'list'; readonly items: Unpickled[] }
  | { readonly kind: 'dict'; readonly entries: Map<string, Unpickled> }
  | { readonly kind: 'global'; readonly name: string }
  | { readonly kind: 'storage'; readonly dtype: DType; readonly blob: Blob }
  | { readonly kind: 'tensor'; readonly literal: Literal }
  | { readonly kind: 'mark' };

const unsafe = (what: string): CompileError =>
  new CompileError(
    'unsafe-pickle',
    `the pickled weights hold ${what}, which is more than tensors`,
    'export the module again with PyTorch 2.9 or later, which stores plain bytes',
  );
const broken = (what: string): CompileError =>
  new CompileError('bad-pickle', `the pickled weights are damaged: ${what}`);

const storages: Readonly<Record<string, DType>> = {
  FloatStorage: 'f32',
  DoubleStorage: 'f64',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  LongStorage: 'i64',
  IntStorage: 'i32',
  ShortStorage: 'i16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  BoolStorage: 'bool',
};

/** Names that may stand for something; nothing behind them is ever run. */
const known = new Set([
  'collections OrderedDict',
  'torch._utils _rebuild_tensor_v2',
  'torch._utils _rebuild_parameter',
  'torch._utils _rebuild_parameter_with_state',
  ...Object.keys(storages).map((s) => `torch ${s}`),
]);

const largestPickle = 2 ** 28;

function unpickled(blob: Blob, where: string): Unpickled {
  const members = readZip(blob);
  const pickle = [...members.values()].find((m) => m.name.endsWith('/data.pkl'));
  if (!pickle) throw broken(`${where} has no data.pkl`);
  if (pickle.blob.byteLength > largestPickle) throw broken(`${where} has ${pickle.blob.byteLength} bytes`);
  const root = pickle.name.slice(0, -'data.pkl'.length);
  const order = members.get(`${root}byteorder`);
  const big = order !== undefined && new TextDecoder().decode(order.blob.read()) === 'big';
  return new Machine(pickle.blob.read(), members, root, big).run();
}

/** The tensors of a blob that torch.save wrote, by name. */
export function tensorsIn(blob: Blob, where: string): ReadonlyMap<string, Literal> {
  const result = unpickled(blob, where);
  if (result.kind !== 'dict') throw unsafe('a value that is no dict of tensors');
  return new Map(
    [...result.entries].flatMap(([key, v]) => (v.kind === 'tensor' ? [[key, v.literal] as const] : [])),
  );
}

/** What is at the ends of tuples, lists and dicts that torch.save wrote: tensors, numbers and other values. */
export function leavesIn(
  blob: Blob,
  where: string,
): readonly (Literal | boolean | number | bigint | string | undefined)[] {
  const leaves: (Literal | boolean | number | bigint | string | undefined)[] = [];
  const visit = (v: Unpickled, depth: number): void => {
    if (depth > deepest || leaves.length > mostLeaves) throw broken(`${where} has no end`);
    if (v.kind === 'list') for (const item of v.items) visit(item, depth + 1);
    else if (v.kind === 'dict') for (const item of v.entries.values()) visit(item, depth + 1);
    else leaves.push(v.kind === 'tensor' ? v.literal : v.kind === 'value' ? v.value : undefined);
  };
  visit(unpickled(blob, where), 0);
  return leaves;
}

// Lists may hold themselves.
const deepest = 100;
const mostLeaves = 100_000;

const mostSteps = 10_000_000;

class Machine {
  readonly #stack: Unpickled[] = [];
  readonly #memo = new Map<number, Unpickled>();
  readonly #view: DataView;
  #at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly members: ReadonlyMap<string, Member>,
    private readonly root: string,
    private readonly big: boolean,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): Unpickled {
    for (let steps = 0; steps < mostSteps; steps++) {
      const op = this.#byte();
      if (op === 0x2e) return this.#pop();
      this.#step(op);
    }
    throw broken('it has no end');
  }

  #byte(): number {
    if (this.#at >= this.bytes.length) throw broken('it ends too early');
    return this.bytes[this.#at++]!;
  }

  #take(length: number): Uint8Array {
    if (this.#at + length > this.bytes.length) throw broken('it ends too early');
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  #u32(): number {
    this.#take(4);
    return this.#view.getUint32(this.#at - 4, true);
  }

  #line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw broken('it ends too early');
    const text = new TextDecoder().decode(this.bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  #pop(): Unpickled {
    const v = this.#stack.pop();
    if (!v) throw broken('its stack runs empty');
    return v;
  }

  #top(): Unpickled {
    const v = this.#stack.at(-1);
    if (!v) throw broken('its stack runs empty');
    return v;
  }

  #toMark(): Unpickled[] {
    const at = this.#stack.findLastIndex((v) => v.kind === 'mark');
    if (at < 0) throw broken('a mark is missing');
    const items = this.#stack.splice(at);
    return items.slice(1);
  }

  #push(v: Unpickled): void {
    this.#stack.push(v);
  }

  #value(value: boolean | number | bigint | string): void {
    this.#push({ kind: 'value', value });
  }

  #step(op: number): void {
    switch (String.fromCharCode(op)) {
      case '\x80':
        this.#byte();
        return;
      case '\x95':
        this.#take(8);
        return;
      case '(':
        this.#push({ kind: 'mark' });
        return;
      case '}':
        this.#push({ kind: 'dict', entries: new Map() });
        return;
      case ']':
      case ')':
        this.#push({ kind: 'list', items: [] });
        return;
      case 'N':
        this.#push({ kind: 'none' });
        return;
      case '\x88':
        this.#value(true);
        return;
      case '\x89':
        this.#value(false);
        return;
      case 'K':
        this.#value(this.#byte());
        return;
      case 'M': {
        const [low, high] = this.#take(2);
        this.#value(low! + 256 * high!);
        return;
      }
      case 'J':
        this.#take(4);
        this.#value(this.#view.getInt32(this.#at - 4, true));
        return;
      case '\x8a':
        this.#value(longOf(this.#take(this.#byte())));
        return;
      case 'G':
        this.#take(8);
        this.#value(this.#view.getFloat64(this.#at - 8, false));
        return;
      case 'X':
        this.#value(new TextDecoder().decode(this.#take(this.#u32())));
        return;
      case '\x8c':
        this.#value(new TextDecoder().decode(this.#take(this.#byte())));
        return;
      case 'q':
        this.#memo.set(this.#byte(), this.#top());
        return;
      case 'r':
        this.#memo.set(this.#u32(), this.#top());
        return;
      case '\x94':
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case 'h':
        this.#recall(this.#byte());
        return;
      case 'j':
        this.#recall(this.#u32());
        return;
      case 't':
        this.#push({ kind: 'list', items: this.#toMark() });
        return;
      case '\x85':
        this.#push({ kind: 'list', items: [this.#pop()] });
        return;
      case '\x86':
        this.#push({ kind: 'list', items: this.#stack.splice(-2) });
        return;
      case '\x87':
        this.#push({ kind: 'list', items: this.#stack.splice(-3) });
        return;
      case 'e': {
        const items = this.#toMark();
        const list = this.#top();
        if (list.kind === 'list') for (const item of items) list.items.push(item);
        return;
      }
      case 'a': {
        const item = this.#pop();
        const list = this.#top();
        if (list.kind === 'list') list.items.push(item);
        return;
      }
      case 'u':
        this.#setAll(this.#toMark());
        return;
      case 's':
        this.#setAll(this.#stack.splice(-2));
        return;
      case 'c':
        this.#global(`${this.#line()} ${this.#line()}`);
        return;
      case '\x93': {
        const [module, name] = this.#stack.splice(-2);
        this.#global(`${textOf(module)} ${textOf(name)}`);
        return;
      }
      case 'Q':
        this.#persistent(this.#pop());
        return;
      case 'R':
        this.#reduce();
        return;
      case 'b':
        // The state of an OrderedDict: metadata of a state dict.
        this.#pop();
        return;
      default:
        throw unsafe(`the instruction 0x${op.toString(16)}`);
    }
  }

  #recall(index: number): void {
    const v = this.#memo.get(index);
    if (!v) throw broken('a reference leads nowhere');
    this.#push(v);
  }

  #setAll(items: readonly Unpickled[]): void {
    const dict = this.#top();
    if (dict.kind !== 'dict') throw unsafe('entries of what is no dict');
    for (let i = 0; i + 1 < items.length; i += 2) dict.entries.set(textOf(items[i]), items[i + 1]!);
  }

  #global(name: string): void {
    if (!known.has(name)) throw unsafe(`the name ${JSON.stringify(name.replace(' ', '.'))}`);
    this.#push({ kind: 'global', name });
  }

  /** ('storage', type, key, location, numel) */
  #persistent(id: Unpickled): void {
    const [what, type, key] = id.kind === 'list' ? id.items : [];
    const dtype = type?.kind === 'global' ? storages[type.name.replace('torch ', '')] : undefined;
    const member = key === undefined ? undefined : this.members.get(`${this.root}data/${textOf(key)}`);
    if (textOf(what) !== 'storage' || dtype === undefined || !member) throw broken('a storage is missing');
    this.#push({ kind: 'storage', dtype, blob: member.blob });
  }

  #reduce(): void {
    const args = this.#pop();
    const fn = this.#pop();
    if (fn.kind !== 'global' || args.kind !== 'list') throw unsafe('a call');
    const { items } = args;
    switch (fn.name) {
      case 'collections OrderedDict':
        this.#push({ kind: 'dict', entries: new Map() });
        return;
      case 'torch._utils _rebuild_parameter':
      case 'torch._utils _rebuild_parameter_with_state':
        this.#push(items[0] ?? { kind: 'none' });
        return;
      case 'torch._utils _rebuild_tensor_v2': {
        const [storage, offset, sizes, strides] = items;
        if (storage?.kind !== 'storage') throw broken('a tensor has no storage');
        const meta = {
          dtype: storage.dtype,
          sizes: sizesOf(sizes),
          strides: sizesOf(strides),
          offset: sizeOf(offset),
        };
        this.#push({
          kind: 'tensor',
          literal: literalIn(storage.blob, meta, this.big, 'a pickled tensor'),
        });
        return;
      }
      default:
        throw unsafe(`a call of ${JSON.stringify(fn.name.replace(' ', '.'))}`);
    }
  }
}

const textOf = (v: Unpickled | undefined): string => {
  if (v?.kind === 'value') return String(v.value);
  throw broken('a name is no text');
};

const sizeOf = (v: Unpickled | undefined): number => {
  if (v?.kind === 'value' && typeof v.value === 'number') return v.value;
  if (v?.kind === 'value' && typeof v.value === 'bigint') return Number(v.value);
  throw broken('an extent is no number');
};

const sizesOf = (v: Unpickled | undefined): readonly number[] =>
  v?.kind === 'list' ? v.items.map(sizeOf) : [];

function longOf(bytes: Uint8Array): bigint {
  let x = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) x = (x << 8n) | BigInt(bytes[i]!);
  return bytes.length > 0 && bytes.at(-1)! & 0x80 ? x - (1n << BigInt(8 * bytes.length)) : x;
}
