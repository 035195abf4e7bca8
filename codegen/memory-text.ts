import { type Dim, isStatic } from '../src/ir/dim.js';
import { dtypeOf, type Graph, shapeOf, type Value } from '../src/ir/graph.js';
import { type Cpp, cpp, ctype, join } from './cpp.js';
import type { Layout, Storage } from './layout.js';
import { planMemory } from './memory-plan.js';

/** Where a program's steps put their results. */
export interface MemoryText {
  /** Statements ahead of the first step. */
  readonly code: readonly Cpp[];
  /** Bytes of the arena when every extent is known. */
  readonly arenaBytes: number | undefined;
  /** Memory for a result; nothing where it has somebody else's. */
  of(v: Value): Cpp | undefined;
  output(i: number): Cpp;
}

export function memoryText(g: Graph, layout: Layout, text: (d: Dim) => Cpp): MemoryText {
  const arena = arenaText(layout, text);
  const output = (i: number): Cpp => {
    const v = g.outputs[i]!;
    return cpp`run.output<${ctype[dtypeOf(v)]}>(${join([cpp`${i}`, ...shapeOf(v).map(text)], ', ')})`;
  };
  const placeText = (storage: Storage, offset: Dim): Cpp => {
    const at = arena.offset(storage);
    return offset === 0 ? at : cpp`${at} + ${text(offset)}`;
  };
  const of = (v: Value): Cpp | undefined => {
    const place = layout.place(v);
    const type = ctype[dtypeOf(v)];
    switch (place.kind) {
      case 'output':
        return output(place.index);
      case 'arena':
        return cpp`ait::at<${type}>(arena, ${placeText(place.storage, place.offset)})`;
      case 'late':
        return cpp`reinterpret_cast<${type}*>(run.late<uint8_t>(${place.slot}, ${text(place.storage.bytes)}))`;
      case 'input':
      case 'constant':
      case 'branch':
        return undefined;
      default:
        return place satisfies never;
    }
  };
  return { code: arena.code, arenaBytes: arena.bytes, of, output };
}

function arenaText(
  { arena }: Layout,
  text: (d: Dim) => Cpp,
): { code: readonly Cpp[]; offset: (s: Storage) => Cpp; bytes: number | undefined } {
  if (arena.length === 0) return { code: [], offset: () => cpp`0`, bytes: 0 };
  if (isStatic(arena.map((s) => s.bytes))) {
    const plan = planMemory(arena.map((s) => ({ ...s, bytes: s.bytes as number })));
    return {
      code: [cpp`uint8_t* const arena = run.arena(${plan.bytes});`],
      offset: (s) => cpp`${plan.offsets[arena.indexOf(s)]}`,
      bytes: plan.bytes,
    };
  }
  const list = (xs: readonly Cpp[]): Cpp => join(xs, ', ');
  return {
    code: [
      cpp`static const int32_t first[] = {${list(arena.map((s) => cpp`${s.first}`))}};`,
      cpp`static const int32_t last[] = {${list(arena.map((s) => cpp`${s.last}`))}};`,
      cpp`const int64_t sizes[] = {${list(arena.map((s) => text(s.bytes)))}};`,
      cpp`int64_t offsets[${arena.length}];`,
      cpp`uint8_t* const arena = run.plan({${arena.length}, first, last}, sizes, offsets);`,
    ],
    offset: (s) => cpp`offsets[${arena.indexOf(s)}]`,
    bytes: undefined,
  };
}
