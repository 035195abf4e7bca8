import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { add, type Dim, mul, numel, type Shape, symbol } from '../src/ir/dim.js';
import {
  type Attrs,
  emit,
  type Graph,
  graph,
  inputValue,
  type Node,
  type Op,
  shapeOf,
  type Value,
} from '../src/ir/graph.js';
import { literalOf } from '../src/ir/literal.js';
import { type DType, tensor } from '../src/ir/type.js';
import { constant } from '../src/ops/constant.js';
import { builder } from '../src/ops/op.js';
import type { Kernel } from './kernel.js';
import { byteSize, type Layout, layOut, Slots } from './layout.js';
import { planMemory } from './memory-plan.js';

/** Computes results from its inputs; may put the first one over those inputs that `over` lists. */
const work: Op<{ shapes: readonly Shape[]; dtype: DType; over: readonly number[] }> = {
  name: 'work',
  infer: (_, { shapes, dtype }) => shapes.map((s) => tensor(dtype, s)),
};
/** Elements of its input from `offset` on. */
const view: Op<{ offset: Dim; shape: Shape }> = {
  name: 'view',
  infer: ([x], { shape }) => [tensor(x!.dtype, shape)],
};
/** Vectors one after another. */
const join: Op = { name: 'join', infer: (xs) => [tensor('f32', [add(...xs.map((x) => x.shape[0]!))])] };
/** Runs one of two graphs. */
const choose: Op<{ shapes: readonly Shape[] }> = {
  name: 'choose',
  infer: (_, { shapes }) => shapes.map((s) => tensor('f32', s)),
};

const kernel = <A extends Attrs>(k: Kernel<A>): Kernel => k as unknown as Kernel;
const kernels: readonly Kernel[] = [
  kernel<Parameters<typeof work.infer>[1]>({ op: work, inPlace: ({ attrs }) => attrs.over }),
  kernel<Parameters<typeof view.infer>[1]>({ op: view, alias: ({ attrs }) => ({ offset: attrs.offset }) }),
  kernel({ op: join, joins: ({ inputs }) => inputs.map((_, i) => startOf(inputs, i)) }),
  kernel<Parameters<typeof choose.infer>[1]>({
    op: choose,
    branches: () => [graph([], []), graph([], [])],
  }),
];
const startOf = (inputs: readonly Value[], i: number): Dim =>
  add(...inputs.slice(0, i).map((v) => shapeOf(v)[0]!));
const kernelOf = (n: Node): Kernel => kernels.find((k) => k.op === n.op)!;
const lay = (g: Graph): Layout => layOut(g, kernelOf, new Slots());

const b = builder({ format: 'pass', name: 'test' });
const given = (name: string, ...shape: Shape): Value => inputValue(name, tensor('f32', shape));
const node = (
  inputs: readonly Value[],
  over: readonly number[],
  ...shapes: readonly Shape[]
): readonly Value[] =>
  emit(work, inputs, { shapes, dtype: 'f32', over }, { format: 'pass', name: 'w' }).outputs;
const run = (inputs: readonly Value[], ...shape: Shape): Value => node(inputs, [], shape)[0]!;
/** An operator that may work in place, as pointwise ones do. */
const over = (...inputs: readonly Value[]): Value =>
  node(
    inputs,
    inputs.map((_, i) => i),
    shapeOf(inputs[0]!),
  )[0]!;
const part = (x: Value, offset: Dim, ...shape: Shape): Value => b(view, [x], { offset, shape });
const again = (x: Value): Value => part(x, 0, ...shapeOf(x));

const x = given('x', 8);
const kinds = (l: Layout, ...vs: readonly Value[]): readonly string[] => vs.map((v) => l.place(v).kind);
const shared = (l: Layout, p: Value, q: Value): boolean => {
  const [a, c] = [l.place(p), l.place(q)];
  return a.kind === 'arena' && c.kind === 'arena' && a.storage === c.storage;
};

describe('results', () => {
  test('are computed where the caller wants them', () => {
    const y = run([x], 8);
    const l = lay(graph([x], [y]));
    expect([l.place(y), l.copies, l.arena]).toEqual([{ kind: 'output', index: 0 }, [], []]);
  });

  test('are computed there through a whole view', () => {
    const y = run([x], 8);
    const l = lay(graph([x], [part(part(y, 0, 2, 4), 0, 4, 2)]));
    expect([l.place(y), l.copies]).toEqual([{ kind: 'output', index: 0 }, []]);
  });

  test('are copied where they are part of a value', () => {
    const y = run([x], 8);
    const half = part(y, 4, 4);
    const l = lay(graph([x], [half]));
    expect(l.copies).toEqual([{ from: half, output: 0 }]);
    expect([l.place(y).kind, l.offset(half)]).toEqual(['arena', 4]);
  });

  test('that are inputs, constants or views of them are copied', () => {
    const c = b(constant, [], { value: literalOf('f32', [8], [0, 1, 2, 3, 4, 5, 6, 7]) });
    const outs = [x, again(x), c, part(c, 2, 3)];
    const l = lay(graph([x], outs));
    expect(l.copies.map((k) => k.from)).toEqual(outs);
    expect(kinds(l, ...outs)).toEqual(['input', 'input', 'constant', 'constant']);
    expect(l.steps).toEqual([]);
  });

  test('that are one value are computed once and copied', () => {
    const y = run([x], 8);
    const l = lay(graph([x], [y, again(y), y]));
    expect(l.copies.map((k) => k.output)).toEqual([1, 2]);
  });

  test('are never taken over, though later steps read them', () => {
    const y = run([x], 8);
    const z = over(y);
    const l = lay(graph([x], [y, over(z)]));
    expect(kinds(l, y, z)).toEqual(['output', 'arena']);
  });

  test('that must be copied live to the end', () => {
    const [y, small] = [run([x], 8), run([x], 4)];
    const half = part(y, 0, 4);
    const l = lay(graph([x, given('z', 2)], [half, run([over(y), small], 8)]));
    const place = l.place(y);
    expect(place.kind === 'arena' && place.storage.last).toBe(l.steps.length);
  });
});

describe('a step works in place', () => {
  test('over the value that nobody reads later', () => {
    const y = run([x], 8);
    const z = over(y);
    const l = lay(graph([x], [run([z], 1)]));
    expect(shared(l, y, z)).toBe(true);
    expect(l.arena).toHaveLength(1);
  });

  test('through views of the whole', () => {
    const y = run([x], 8);
    const z = over(part(y, 0, 2, 4));
    const l = lay(graph([x], [run([again(z)], 1)]));
    expect(shared(l, y, z)).toBe(true);
  });

  test('over the second operand when the first is read later', () => {
    const [y, w] = [run([x], 8), run([x], 8)];
    const z = over(y, w);
    const l = lay(graph([x], [run([z, y], 1)]));
    expect([shared(l, z, y), shared(l, z, w)]).toEqual([false, true]);
  });

  test.each<[string, (y: Value) => readonly [Value, ...Value[]]]>([
    ['read by a later step', (y) => [run([over(y), y], 1)]],
    ['read later through a view', (y) => [run([over(y), part(y, 4, 4)], 1)]],
    ['a result', (y) => [run([over(y)], 1), part(y, 0, 8)]],
    ['part of which is a result', (y) => [run([over(y)], 1), part(y, 2, 2)]],
    ['read in another order as well', (y) => [run(node([y, part(y, 0, 2, 4)], [0], [8]), 1)]],
    ['larger than what is written', (y) => [run([over(part(y, 0, 4))], 1)]],
  ])('not over a value that is %s', (_, make) => {
    const y = run([x], 8);
    const outs = make(y);
    const l = lay(graph([x], outs));
    const second = l.steps.find((n) => n.inputs.some((v) => l.owner(v) === y) && n.op === (work as unknown))!;
    expect(shared(l, y, second.outputs[0]!)).toBe(false);
  });

  test('not over inputs and constants', () => {
    const c = b(constant, [], { value: literalOf('f32', [8], [0, 1, 2, 3, 4, 5, 6, 7]) });
    const [y, z] = [over(x), over(c)];
    const l = lay(graph([x], [run([y, z], 1)]));
    expect(kinds(l, x, y, c, z)).toEqual(['input', 'arena', 'constant', 'arena']);
  });

  test('with the sizes of run-time extents', () => {
    const n = symbol('n');
    const s = given('s', n, 4);
    const y = run([s], n, 4);
    const [z, w] = [node([y], [0], [mul(4, n)])[0]!, node([y], [0], [mul(2, n)])[0]!];
    const one = lay(graph([s], [run([z], 1)]));
    const other = lay(graph([s], [run([w], 1)]));
    expect([shared(one, y, z), shared(other, y, w)]).toEqual([true, false]);
  });
});

describe('extents that are only known in the middle of a run', () => {
  const count = emit(work, [x], { shapes: [[1]], dtype: 'i64', over: [] }, { format: 'pass', name: 'c' })
    .outputs[0]!;
  const n = symbol('n', 0, 8);
  const bindings = new Map([['n', { value: count, element: 0 }]]);

  test('give values a block of their own', () => {
    const y = run([x], n);
    const z = over(y);
    const slots = new Slots();
    const l = layOut(graph([x], [run([z], n), run([z], 1)], ['a', 'b'], bindings), kernelOf, slots);
    expect([...l.lateSymbols]).toEqual(['n']);
    expect([l.place(y), l.place(z)]).toMatchObject([
      { kind: 'late', slot: 0 },
      { kind: 'late', slot: 1 },
    ]);
    expect([slots.take(), l.place(count).kind]).toEqual([2, 'arena']);
  });

  test('keep the value that tells them until it is read', () => {
    const l = lay(graph([x], [run([x], n)], ['a'], bindings));
    const place = l.place(count);
    expect(place.kind === 'arena' && [place.storage.first, place.storage.last]).toEqual([0, 0]);
    expect(l.steps[0]).toBe(count.node);
  });

  test('and its view tell them as well', () => {
    const through = new Map([['n', { value: again(count), element: 0 }]]);
    expect([...lay(graph([x], [run([x], n)], ['a'], through)).lateSymbols]).toEqual(['n']);
  });

  test('are late as far as they are passed on', () => {
    const m = symbol('m', 0, 16);
    const told = emit(
      { name: 'dims', infer: () => [tensor('i64', [1])] } as Op<{ dims: Shape }>,
      [],
      { dims: [mul(2, n)] },
      { format: 'pass', name: 'd' },
    ).outputs[0]!;
    const all = new Map([...bindings, ['m', { value: told, element: 0 }] as const]);
    const l = lay(graph([x], [run([run([x], m)], 1)], ['a'], all));
    expect([...l.lateSymbols].sort()).toEqual(['m', 'n']);
    expect(l.steps).not.toContain(told.node);
  });

  test('of a view make its result a copy, as memory is asked for before they are known', () => {
    const y = run([x], 8);
    const cut = part(y, 0, n);
    const l = lay(graph([x], [cut], ['a'], bindings));
    expect([l.copies, l.place(y).kind]).toEqual([[{ from: cut, output: 0 }], 'arena']);
  });

  test('are not late when an input tells them', () => {
    const sizes = inputValue('sizes', tensor('i64', [1]));
    const y = run([x], n);
    const l = lay(graph([x, sizes], [run([y], 1)], ['a'], new Map([['n', { value: sizes, element: 0 }]])));
    expect([l.lateSymbols.size, l.place(y).kind]).toEqual([0, 'arena']);
  });
});

test('results of branches keep their memory, and are copied where they are results', () => {
  const [n, m] = [symbol('n'), symbol('m')];
  const s = given('s', m);
  const y = emit(choose, [s], { shapes: [[n], [4, m]] }, { format: 'pass', name: 'i' }).outputs;
  const z = over(y[0]!);
  const l = lay(graph([s], [y[1]!, run([z], 1)]));
  expect(kinds(l, ...y, z)).toEqual(['branch', 'branch', 'late']);
  expect([l.copies, [...l.lateSymbols]]).toEqual([[{ from: y[1], output: 0 }], ['n']]);
});

describe('operands of a join', () => {
  test('are computed in their place', () => {
    const [p, q] = [run([x], 3), run([x], 5)];
    const whole = b(join, [p, q], {});
    const l = lay(graph([x], [run([whole], 1)]));
    expect([p, q, whole].map((v) => l.place(v))).toMatchObject([
      { offset: 0 },
      { offset: 12 },
      { offset: 0 },
    ]);
    expect(l.arena).toHaveLength(1);
    expect(l.arena[0]).toMatchObject({ bytes: 32, first: 0, last: 3 });
  });

  test('but for inputs, views of parts, and what is joined before', () => {
    const p = run([x], 8);
    const first = b(join, [p, p, part(p, 0, 4), x], {});
    const second = b(join, [p, x], {});
    const l = lay(graph([x], [run([first, second], 1)]));
    expect([shared(l, p, first), shared(l, p, second), l.arena.length]).toEqual([true, false, 2]);
  });

  test('join into joins', () => {
    const [p, q] = [run([x], 3), run([x], 5)];
    const inner = b(join, [x, p], {});
    const outer = b(join, [q, inner], {});
    const l = lay(graph([x], [run([outer], 1)]));
    expect(l.place(p)).toMatchObject({ kind: 'arena', offset: (5 + 8) * 4 });
    expect(l.arena).toHaveLength(1);
  });
});

type Step =
  | {
      readonly kind: 'work';
      readonly reads: readonly number[];
      readonly sizes: readonly number[];
      readonly over: boolean;
    }
  | { readonly kind: 'view'; readonly of: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'join'; readonly reads: readonly number[] };

const which = fc.nat(1000);
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('work' as const),
    reads: fc.array(which, { minLength: 1, maxLength: 3 }),
    sizes: fc.array(fc.constantFrom(0, 16, 16, 16, 32, 5), { minLength: 1, maxLength: 2 }),
    over: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('view' as const), of: which, offset: which, length: which }),
  fc.record({ kind: fc.constant('join' as const), reads: fc.array(which, { minLength: 1, maxLength: 3 }) }),
);

function graphOf(steps: readonly Step[], outputs: readonly number[]): Graph {
  const inputs = [given('x', 16), given('y', 32)];
  const all = [...inputs];
  const at = (i: number): Value => all[all.length - 1 - (i % all.length)]!;
  for (const s of steps) {
    if (s.kind === 'work') {
      const reads = s.reads.map(at);
      const may = reads.flatMap((v, i) => (s.over && shapeOf(v)[0] === s.sizes[0] ? [i] : []));
      all.push(...node(reads, may, ...s.sizes.map((n) => [n])));
    } else if (s.kind === 'view') {
      const from = at(s.of);
      const size = shapeOf(from)[0] as number;
      const length = s.length % 3 === 0 ? size : s.length % (size + 1);
      all.push(part(from, s.offset % (size - length + 1), length));
    } else all.push(b(join, s.reads.map(at), {}));
  }
  return graph(inputs, outputs.map(at));
}

/** Runs a layout on memory that holds names of elements, and says what is read that is not what was written. */
function mistakes(g: Graph, l: Layout): readonly string[] {
  const plan = planMemory(l.arena.map((s) => ({ ...s, bytes: s.bytes as number })));
  const arena: string[] = Array(plan.bytes / 4).fill('nothing');
  const outputs = g.outputs.map((v): string[] => Array(numel(shapeOf(v)) as number).fill('nothing'));
  const found: string[] = [];
  const names = new Map<Value, string[]>();
  g.inputs.forEach((v, i) => {
    names.set(
      v,
      Array.from({ length: numel(shapeOf(v)) as number }, (_, e) => `in${i}:${e}`),
    );
  });
  /** What a value should hold. */
  const meaning = (v: Value): readonly string[] => {
    const known = names.get(v);
    if (known) return known;
    const { op, inputs, attrs } = v.node;
    const size = numel(shapeOf(v)) as number;
    const { offset: first } = attrs as { readonly offset: number };
    const made =
      op === (view as unknown)
        ? meaning(inputs[0]!).slice(first, first + size)
        : op === join
          ? inputs.flatMap(meaning)
          : Array.from({ length: size }, (_, e) => `w${l.steps.indexOf(v.node)}.${v.index}:${e}`);
    names.set(v, made);
    return made;
  };
  const memory = (v: Value): { block: string[]; start: number } => {
    const o = l.owner(v);
    const place = l.place(v);
    const offset = l.offset(v) as number;
    if (place.kind === 'output') return { block: outputs[place.index]!, start: offset };
    if (place.kind !== 'arena') return { block: names.get(o)!, start: offset };
    const base = plan.offsets[l.arena.indexOf(place.storage)]! + (place.offset as number);
    return { block: arena, start: base / 4 + offset };
  };
  const check = (v: Value, when: string): void => {
    const { block, start } = memory(v);
    meaning(v).forEach((name, e) => {
      if (block[start + e] !== name) found.push(`${when}: ${block[start + e]} for ${name}`);
    });
  };
  const write = (v: Value): void => {
    const { block, start } = memory(v);
    meaning(v).forEach((name, e) => {
      block[start + e] = name;
    });
  };
  l.steps.forEach((n, i) => {
    for (const v of n.inputs) check(v, `read by step ${i}`);
    for (const v of n.outputs) write(v);
    for (const v of n.outputs) check(v, `written by step ${i}`);
  });
  for (const { from, output } of l.copies) {
    check(from, `copied to output ${output}`);
    outputs[output] = [...meaning(from)];
  }
  g.outputs.forEach((v, i) => {
    if (outputs[i]!.join() !== meaning(v).join()) found.push(`output ${i} is ${outputs[i]}`);
  });
  return found;
}

test('in any graph, every value is what was written until its last reader', () => {
  const graphs = fc.tuple(
    fc.array(stepArbitrary, { minLength: 1, maxLength: 14 }),
    fc.array(fc.nat(6), { minLength: 1, maxLength: 3 }),
  );
  let [inPlace, joined] = [0, 0];
  fc.assert(
    fc.property(graphs, ([steps, outputs]) => {
      const g = graphOf(steps, outputs);
      const l = lay(g);
      const made = l.steps.flatMap((n) => n.outputs).filter((v) => l.place(v).kind === 'arena');
      if (made.length > l.arena.length) inPlace++;
      if (l.steps.some((n) => n.op === join && n.inputs.some((v) => shared(l, v, n.outputs[0]!)))) joined++;
      expect(mistakes(g, l)).toEqual([]);
    }),
    { numRuns: 4000 },
  );
  expect(Math.min(inPlace, joined)).toBeGreaterThan(100);
});

test('sizes are in whole bytes', () => {
  const of = (t: DType, ...shape: Shape): Dim => byteSize(inputValue('v', tensor(t, shape)));
  expect([of('i4', 3), of('u2', 5), of('f64', 2, 3), of('bool'), of('c128', 2)]).toEqual([2, 2, 48, 1, 32]);
});
