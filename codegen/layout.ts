import { add, ceildiv, type Dim, mul, numel, same, show } from '../src/ir/dim.js';
import {
  dtypeOf,
  type Graph,
  input,
  is,
  type Node,
  shapeOf,
  topological,
  type Value,
} from '../src/ir/graph.js';
import { bitsOf } from '../src/ir/type.js';
import { partsOf } from './joined-parts.js';
import { constantOf, extentsOf, type KernelTraits } from './kernel.js';
import { lateSymbolsOf, mentions, onlyNames } from './late-symbols.js';

/** Where a value of a segment lives. */
export type Place =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'output'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: Value }
  /** In the arena, planned before the first step; `offset` bytes into its storage. */
  | { readonly kind: 'arena'; readonly storage: Storage; readonly offset: Dim }
  /** Of a size known only in the middle of a run. */
  | { readonly kind: 'late'; readonly slot: number; readonly storage: Storage }
  /** A result of a branch, which has its memory from the branch. */
  | { readonly kind: 'branch'; readonly index: number };

export interface Storage {
  readonly bytes: Dim;
  readonly first: number;
  last: number;
}

/** Numbers the context's memory blocks of values whose size is not known before the run. */
export class Slots {
  #next = 0;
  take(count = 1): number {
    this.#next += count;
    return this.#next - count;
  }
}

/** The steps of a segment in order, and the memory of every value they touch. */
export interface Layout {
  readonly steps: readonly Node[];
  /** Whether a value has memory at all: extents that nobody reads as data have none. */
  has(v: Value): boolean;
  /** Alias chains end in the value that owns the memory. */
  owner(v: Value): Value;
  /** Where a value begins in its owner's memory, in elements. */
  offset(v: Value): Dim;
  place(v: Value): Place;
  readonly arena: readonly Storage[];
  /** Results that must be copied because their memory belongs to somebody else. */
  readonly copies: readonly { readonly from: Value; readonly output: number }[];
  /** Symbols that only become known while the segment runs. */
  readonly lateSymbols: ReadonlySet<string>;
}

export function byteSize(v: Value): Dim {
  const bits = bitsOf[dtypeOf(v)];
  const n = numel(shapeOf(v));
  return bits >= 8 ? mul(bits / 8, n) : ceildiv(mul(bits, n), 8);
}

export function layOut(g: Graph, kernelOf: (n: Node) => KernelTraits, slots: Slots): Layout {
  const order = topological(g).filter(
    (n) => !is(n, input) && !constantOf(n.outputs[0]!) && !onlyNames(n, g, kernelOf),
  );
  const owners = new Map<Value, Value>();
  const owner = (v: Value): Value => owners.get(v) ?? v;
  const offsets = new Map<Value, Dim>();
  const offset = (v: Value): Dim => offsets.get(v) ?? 0;
  const steps: Node[] = [];
  for (const n of order) {
    const alias = kernelOf(n).alias?.(n);
    if (!alias) {
      steps.push(n);
      continue;
    }
    const [x, y] = [n.inputs[0]!, n.outputs[0]!];
    owners.set(y, owner(x));
    offsets.set(y, add(offset(x), alias === true ? 0 : alias.offset));
  }
  const stepOf = new Map(steps.map((n, i) => [n, i]));
  const graphInputs = new Set(g.inputs);
  const branches = new Set(steps.filter((n) => kernelOf(n).branches));
  const lateSymbols = lateSymbolsOf(g, (v) => stepOf.has(owner(v).node), branches);

  const places = new Map<Value, Place>();
  for (const [index, v] of g.inputs.entries()) places.set(v, { kind: 'input', index });
  const copies: { from: Value; output: number }[] = [];
  g.outputs.forEach((v, index) => {
    const o = owner(v);
    const own = stepOf.has(o.node) && !branches.has(o.node) && !places.has(o) && !graphInputs.has(o);
    // The result's shape must be known when its memory is asked for, before the owner's step.
    const early = v === o || !shapeOf(v).some((d) => mentions(d, lateSymbols));
    const whole = offset(v) === 0 && same(byteSize(v), byteSize(o));
    if (own && early && whole) places.set(o, { kind: 'output', index });
    else copies.push({ from: v, output: index });
  });

  const lastRead = new Map<Value, number>();
  const read = (v: Value, step: number): void => {
    const o = owner(v);
    lastRead.set(o, Math.max(lastRead.get(o) ?? -1, step));
  };
  steps.forEach((n, i) => {
    for (const v of n.inputs) read(v, i);
  });
  for (const { from } of copies) read(from, steps.length);
  for (const { value } of g.bindings.values())
    if (!extentsOf(value)) read(value, stepOf.get(owner(value).node) ?? 0);

  const parts = partsOf(steps, kernelOf, (v) => {
    const o = owner(v);
    const own = stepOf.has(o.node) && !branches.has(o.node) && !places.has(o);
    return own && offset(v) === 0 && same(byteSize(v), byteSize(o)) && !mentions(byteSize(o), lateSymbols)
      ? o
      : undefined;
  });
  const arena: Storage[] = [];
  const store = (v: Value, step: number): Storage => {
    const storage = { bytes: byteSize(v), first: step, last: Math.max(lastRead.get(v) ?? step, step) };
    arena.push(storage);
    return storage;
  };
  /** The memory of a value that is computed inside a larger one, which thereby begins to live. */
  const inside = (v: Value, step: number): Place & { kind: 'arena' } => {
    const known = places.get(v);
    if (known?.kind === 'arena') return known;
    const part = parts.get(v);
    const outer = part && inside(part.whole, step);
    const place: Place & { kind: 'arena' } = outer
      ? { kind: 'arena', storage: outer.storage, offset: add(outer.offset, part.offset) }
      : { kind: 'arena', storage: store(v, step), offset: 0 };
    place.storage.last = Math.max(place.storage.last, lastRead.get(v) ?? step);
    places.set(v, place);
    return place;
  };
  steps.forEach((n, i) => {
    n.outputs.forEach((v) => {
      if (places.has(v)) return;
      if (branches.has(n)) {
        places.set(v, { kind: 'branch', index: v.index });
        return;
      }
      const bytes = byteSize(v);
      const last = Math.max(lastRead.get(v) ?? i, i);
      if (mentions(bytes, lateSymbols)) {
        places.set(v, { kind: 'late', slot: slots.take(), storage: { bytes, first: i, last } });
        return;
      }
      if (parts.has(v)) {
        inside(v, i);
        return;
      }
      const allowed = v.index === 0 ? (kernelOf(n).inPlace?.(n) ?? []) : [];
      const donor = allowed
        .map((k) => owner(n.inputs[k]!))
        .map((o) => ({ o, place: places.get(o) }))
        .find(
          ({ o, place }) =>
            place?.kind === 'arena' &&
            place.storage.last === i &&
            lastRead.get(o) === i &&
            same(place.storage.bytes, bytes) &&
            // Another view of the same memory is read in another order.
            n.inputs.every((x, k) => owner(x) !== o || allowed.includes(k)),
        );
      if (donor?.place?.kind === 'arena') {
        donor.place.storage.last = last;
        places.set(v, donor.place);
        return;
      }
      places.set(v, { kind: 'arena', storage: store(v, i), offset: 0 });
    });
  });

  const place = (v: Value): Place => {
    const o = owner(v);
    const known = places.get(o);
    if (known) return known;
    if (constantOf(o)) return { kind: 'constant', value: o };
    throw new Error(
      `no memory was planned for a result of ${o.node.op.name} of ${shapeOf(o).map(show).join(',')}`,
    );
  };
  const has = (v: Value): boolean => places.has(owner(v)) || constantOf(owner(v)) !== undefined;
  return { steps, has, owner, offset, place, arena, copies, lateSymbols };
}
