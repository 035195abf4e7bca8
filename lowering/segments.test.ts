import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Dim, mul, symbol } from '../src/ir/dim.js';
import {
  type Graph,
  graph,
  input,
  inputName,
  inputValue,
  is,
  type Node,
  type Value,
} from '../src/ir/graph.js';
import { print } from '../src/ir/print.js';
import { tensor } from '../src/ir/type.js';
import { verifier } from '../src/ir/verify.js';
import { constant, dims } from '../src/ops/constant.js';
import { if_ } from '../src/ops/control-flow.js';
import { builder } from '../src/ops/op.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { reshape } from '../src/ops/reshape.js';
import { shapeOfValue } from '../src/ops/shape.js';
import { B, f32, iota } from './graphs.fixtures.js';
import { isFree, type Kind, placeable } from './levels.js';
import { cut, type Segment, valueNames } from './segments.js';

const at = (name: string) => builder({ format: 'onnx', name });
const exp = (name: string, x: Value): Value => at(name)(pointwise, [x], callOf('exp', 1));
const plus = (name: string, x: Value, y: Value): Value => at(name)(pointwise, [x, y], callOf('add', 2));
/** Nodes whose name ends in `!` stay on onnxruntime. */
const byName = (n: Node): Kind => (n.origin.name.endsWith('!') ? 'fallback' : 'engine');
const verify = verifier([])('lowered');

/** Segments as lines: kind, what is read, the nodes, what is written. */
const lines = (segments: readonly Segment[]): readonly string[] =>
  segments.map(
    (s) =>
      `${s.kind} (${s.reads.join(' ')}) ${s.nodes.map((n) => n.origin.name).join(' ')} -> ${s.writes.join(' ')}`,
  );

const x = f32('x', B, 8);

test('a graph of one kind is one segment', () => {
  const g = graph([x], [exp('b', exp('a', x))], ['y']);
  expect(lines(cut(g, byName))).toEqual(['engine (x) a b -> y']);
  expect(lines(cut(g, () => 'fallback'))).toEqual(['fallback (x) a b -> y']);
});

test('a branch whose extents nobody else mentions tells them by itself', () => {
  const condition = inputValue('condition', tensor('bool', []));
  const inner = f32('x', B, 8);
  const open = tensor('f32', [symbol('rows'), 8]);
  const branch = (name: string) => graph([inner], [exp(name, inner)], ['y']);
  const chosen = at('choice')(if_, [condition, x], {
    ...{ thenBranch: branch('yes'), elseBranch: branch('no'), captured: 1, outputs: [open] },
  });
  const g = graph([condition, x], [chosen], ['y']);
  expect(lines(cut(g, byName))).toEqual(['engine (condition x) choice -> y']);
  expect(lines(cut(g, () => 'fallback'))).toEqual(['fallback (condition x) choice -> y']);
});

test('segments alternate along a chain, and read what they need from wherever it is', () => {
  const a = exp('a', x);
  const b = exp('b!', a);
  const g = graph([x], [plus('d', plus('c', b, a), x)], ['y']);
  expect(lines(cut(g, byName))).toEqual([
    'engine (x) a -> a',
    'fallback (a) b! -> b!',
    'engine (b! a x) c d -> y',
  ]);
});

test('nodes that could close a cycle are kept apart', () => {
  // a feeds d both directly and through b!: with a and d in one segment, it would wait for itself.
  const a = exp('a', x);
  const g = graph([x], [plus('d', a, exp('b!', a)), exp('e', a)], ['y', 'z']);
  expect(lines(cut(g, byName))).toEqual([
    'engine (x) a e -> a z',
    'fallback (a) b! -> b!',
    'engine (a b!) d -> y',
  ]);
});

test('results may be inputs, constants, and the same value twice', () => {
  const c = iota(2);
  const y = exp('a', x);
  const g = graph([x], [x, y, c, y, c], ['p', 'q', 'r', 's', 't']);
  const segments = cut(g, byName);
  expect(lines(segments)).toEqual(['engine (x) a -> q r']);
  for (const s of segments) verify(s.graph);
  expect(lines(cut(graph([x], [x], ['p']), byName))).toEqual([]);
  expect(lines(cut(graph([x], [c], ['p']), byName))).toEqual(['engine ()  -> p']);
});

test("names are unique; inputs and results keep the user's", () => {
  const [p, q] = [exp('n', x), exp('n', x)];
  const [r, s] = [exp('y', p), exp('', q)];
  const names = valueNames(graph([x], [plus('z', r, s)], ['y']));
  expect([x, p, q, r, s].map((v) => names.get(v))).toEqual(['x', 'n', 'n#2', 'y#2', 'pointwise']);
});

test('what reads nothing is copied into every segment that reads it', () => {
  const c = iota(8);
  const a = plus('a', x, c);
  const g = graph([x], [plus('c', exp('b!', a), c)], ['y']);
  const segments = cut(g, byName);
  expect(segments.map((s) => s.reads)).toEqual([['x'], ['a'], ['b!']]);
  expect(print(segments[2]!.graph)).toContain('constant(');
  expect(placeable(g).some(isFree)).toBe(false);
});

describe('extents that are known at run time', () => {
  const n = symbol('n');
  const sizes = inputValue('sizes', tensor('i64', [1]));
  const flat = (name: string, v: Value, ...shape: readonly Dim[]): Value => at(name)(reshape, [v], { shape });

  test('come with the value that tells them', () => {
    const y = flat('a!', x, n, 8);
    const g = graph([x, sizes], [exp('b', y)], ['y'], new Map([['n', { value: sizes, element: 0 }]]));
    const [first, second] = cut(g, byName);
    // Whoever shapes by an extent reads it; whoever reads what has the extent sees it there.
    expect([first!.reads, second!.reads]).toEqual([['x', 'sizes'], ['a!']]);
    expect(second!.graph.bindings.size).toBe(0);
  });

  test('that no input shows bring their source', () => {
    const y = flat('a', x, mul(2, n), 4);
    const g = graph(
      [x, sizes],
      [exp('b', exp('c!', y))],
      ['y'],
      new Map([['n', { value: sizes, element: 0 }]]),
    );
    const segments = cut(g, byName);
    expect(segments.map((s) => s.reads)).toEqual([
      ['x', 'sizes'],
      ['a', 'sizes'],
      ['c!', 'sizes'],
    ]);
    for (const s of segments) verify(s.graph);
  });

  test('that a computed value tells make its readers wait for it', () => {
    const counted = at('count!')(pointwise, [sizes], callOf('neg', 1));
    const y = flat('a', x, mul(2, n), 4);
    const g = graph([x, sizes], [y], ['y'], new Map([['n', { value: counted, element: 0 }]]));
    expect(lines(cut(g, byName))).toEqual(['fallback (sizes) count! -> count!', 'engine (x count!) a -> y']);
  });

  test('of a tensor are told by the tensor itself', () => {
    const made = flat('made!', x, n, 2);
    const told = at('told')(shapeOfValue, [made], { start: 0, end: 1 });
    const g = graph([x], [flat('a', made, mul(2, n))], ['y'], new Map([['n', { value: told, element: 0 }]]));
    const segments = cut(g, byName);
    expect(lines(segments)).toEqual(['fallback (x) made! -> made!', 'engine (made!) a -> y']);
  });

  test('of a result inside the segment are asked of it there', () => {
    const made = flat('made', x, n, 2);
    const told = at('told')(shapeOfValue, [made], { start: 0, end: 1 });
    const g = graph([x], [flat('a', made, mul(2, n))], ['y'], new Map([['n', { value: told, element: 0 }]]));
    const [only] = cut(g, byName);
    expect(lines([only!])).toEqual(['engine (x) made a -> y']);
    expect([...only!.graph.bindings.keys()]).toEqual(['n']);
    verify(only!.graph);
  });

  test('may follow from others', () => {
    const m = symbol('m');
    const doubled = at('d')(dims, [], { dims: [mul(2, n)], dtype: 'i64', shape: [1] });
    const bindings = new Map([
      ['n', { value: sizes, element: 0 }],
      ['m', { value: doubled, element: 0 }],
    ]);
    const g = graph([x, sizes], [flat('b', exp('c!', x), mul(3, m))], ['y'], bindings);
    const segments = cut(g, byName);
    expect(lines(segments)).toEqual(['fallback (x) c! -> c!', 'engine (c! sizes) b -> y']);
    expect([...segments[1]!.graph.bindings.keys()].sort()).toEqual(['m', 'n']);
    verify(segments[1]!.graph);
  });

  test('that nothing tells are an error', () => {
    const g = graph([x], [flat('a', x, mul(2, n))], ['y']);
    expect(() => cut(g, byName)).toThrow('nothing tells the extent n');
  });
});

/** Random graphs: nodes with one or two inputs, constants among them, of both kinds; some extents told by values. */
const randomGraph = fc
  .tuple(
    fc.array(fc.tuple(fc.nat(99), fc.nat(99), fc.constantFrom('engine', 'fallback', 'free', 'told')), {
      minLength: 1,
      maxLength: 20,
    }),
    fc.array(fc.nat(99), { minLength: 1, maxLength: 3 }),
  )
  .map(([rows, outputs]): Graph => {
    const ports = [f32('x', B, 8), f32('y', B, 8)];
    const all = [...ports];
    const sizes = inputValue('sizes', tensor('i64', [4]));
    const bindings = new Map<string, { value: Value; element: number }>();
    rows.forEach(([i, j, kind], k) => {
      const [p, q] = [all[i % all.length]!, all[j % all.length]!];
      if (kind === 'free') all.push(iota(8));
      else if (kind === 'told') {
        const counted = at(`count${k}${j % 2 ? '!' : ''}`)(pointwise, [sizes], callOf('neg', 1));
        bindings.set(`n${k}`, { value: i % 2 ? counted : sizes, element: j % 4 });
        const shaped = at(`t${k}${i % 3 ? '' : '!'}`)(reshape, [p], { shape: [mul(2, symbol(`n${k}`))] });
        all.push(at(`u${k}`)(reshape, [shaped], { shape: [B, 8] }));
      } else all.push(plus(`v${k}${kind === 'fallback' ? '!' : ''}`, p, q));
    });
    const outs = outputs.map((i) => all[all.length - 1 - (i % all.length)]!);
    const names = outs.map((_, i) => `out${i}`);
    return graph([...ports, sizes], outs, names, bindings);
  });

test('any graph is cut in an order that runs: all nodes once, values before their readers', () => {
  let borders = 0;
  fc.assert(
    fc.property(randomGraph, (g) => {
      const segments = cut(g, byName);
      const names = valueNames(g);
      const have = new Set(g.inputs.map(inputName));
      const seen: Node[] = [];
      for (const s of segments) {
        verify(s.graph);
        for (const r of s.reads) expect(have).toContain(r);
        for (const w of s.writes) have.add(w);
        expect(s.graph.inputs.map(inputName)).toEqual(s.reads);
        expect(s.graph.outputNames).toEqual(s.writes);
        for (const n of s.nodes) expect(byName(n)).toBe(s.kind);
        // Every node it must run is one of the graph's, through its copy.
        expect([...s.originals.values()].filter((n) => !s.nodes.includes(n))).toEqual([]);
        seen.push(...s.nodes);
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(new Set(seen)).toEqual(new Set(placeable(g)));
      for (const v of g.outputs) expect(have).toContain(names.get(v));
      for (let i = 1; i < segments.length; i++) expect(segments[i]!.kind).not.toBe(segments[i - 1]!.kind);
      if (segments.length > 3) borders++;
    }),
    { numRuns: 600 },
  );
  expect(borders).toBeGreaterThan(10);
});

test('a node is free when it reads nothing and is no input', () => {
  expect([iota(2).node, x.node, exp('a', x).node].map(isFree)).toEqual([true, false, false]);
  expect([is(x.node, input), is(iota(1).node, constant)]).toEqual([true, true]);
});
