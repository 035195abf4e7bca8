import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { symbol } from '../src/ir/dim.js';
import { emit, type Graph, graph, inputValue, type Node, type Op, type Value } from '../src/ir/graph.js';
import { type OpaqueType, tensor, type ValueType } from '../src/ir/type.js';
import { builder } from '../src/ops/op.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { AITLowerer, type LowererOptions, type Partition } from './ait-lowerer.js';
import { f32 } from './graphs.fixtures.js';

const x = f32('x', 64, 64);
const node = (name: string, ...inputs: readonly Value[]): Value =>
  builder({ format: 'onnx', name, opType: inputs.length === 1 ? 'Exp' : 'Add' })(
    pointwise,
    inputs,
    callOf(inputs.length === 1 ? 'exp' : 'add', inputs.length),
  );

/** An operator over values of any kind. */
const odd: Op<{ type: ValueType }> = { name: 'odd', takesOpaque: true, infer: (_, { type }) => [type] };
const list: OpaqueType = { kind: 'opaque', text: 'a list' };
const make = (name: string, type: ValueType, ...inputs: readonly Value[]): Value =>
  emit(odd, inputs, { type }, { format: 'onnx', name }).outputs[0]!;

const refuseMarked = (n: Node): string | undefined =>
  n.origin.name.endsWith('!') ? `${n.origin.name} is marked` : undefined;
/** Work that pays for any border, unless a test says otherwise. */
const lower = (g: Graph, options: Partial<LowererOptions> = {}): Partition =>
  new AITLowerer({ refuse: refuseMarked, work: () => 1e9, ...options }).partition(g);

const kinds = (p: Partition): string => p.segments.map((s) => s.kind).join(' ');
const reasons = (p: Partition): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(
    p.decisions.flatMap((d) => (d.reason === undefined ? [] : [[d.node.origin.name, d.reason]])),
  );

const a = node('a', x);
const b = node('b', a);
const c = node('c', b);
const chain = graph([x], [c], ['y']);

test('what can be compiled is compiled', () => {
  const p = lower(chain);
  expect([kinds(p), reasons(p)]).toEqual(['engine', {}]);
  expect(p.decisions.map((d) => [d.node.origin.name, d.kind, d.work])).toEqual(
    ['a', 'b', 'c'].map((name) => [name, 'engine', 1e9]),
  );
});

describe('a node stays on onnxruntime', () => {
  test('when it is refused, with the sentence', () => {
    const p = lower(graph([x], [node('c', node('b!', a))], ['y']));
    expect([kinds(p), reasons(p)]).toEqual(['engine fallback engine', { 'b!': 'b! is marked' }]);
  });

  test('when its operator type is named', () => {
    const p = lower(graph([x], [node('sum', a, b)], ['y']), { fallbackOps: new Set(['Add']) });
    expect([kinds(p), reasons(p)]).toEqual(['engine fallback', { sum: '--fallback-ops names Add' }]);
  });

  test('when it is named', () => {
    const p = lower(chain, { fallbackNodes: new Set(['b', 'none']) });
    expect([kinds(p), reasons(p)]).toEqual(['engine fallback engine', { b: '--fallback-nodes names it' }]);
  });

  test('when it failed before', () => {
    const p = lower(chain, { failed: new Map([[b.node, 'it did not compile']]) });
    expect([kinds(p), reasons(p)]).toEqual(['engine fallback engine', { b: 'it did not compile' }]);
  });

  test("the user's wish comes before other reasons", () => {
    const p = lower(graph([x], [node('b!', a)], ['y']), { fallbackNodes: new Set(['b!']) });
    expect(reasons(p)).toEqual({ 'b!': '--fallback-nodes names it' });
  });

  test('when it handles what is no tensor', () => {
    const made = make('make', list, a);
    const p = lower(graph([x], [make('take', tensor('f32', [64, 64]), made)], ['y']));
    expect(reasons(p)).toEqual({ make: 'it handles a list', take: 'it handles a list' });
  });
});

describe('values that are no tensors', () => {
  const made = make('make', list, a);
  const read = (...more: readonly Value[]): Value => make('take', tensor('f32', [64, 64]), made, ...more);

  test('stay within one segment: what lies between falls back', () => {
    const item = make('item', tensor('f32', [64, 64]), made);
    const between = node('between', item);
    const p = lower(graph([x], [node('after', read(between))], ['y']));
    expect(kinds(p)).toBe('engine fallback engine');
    expect(reasons(p)['between']).toBe('it lies between nodes that exchange a list');
    expect(reasons(p)['after']).toBeUndefined();
  });

  test('leave alone what is beside them', () => {
    const beside = node('beside', x);
    const p = lower(graph([x], [read(beside)], ['y']));
    expect(Object.keys(reasons(p)).sort()).toEqual(['make', 'take']);
  });

  test('never cross a border, in any graph', () => {
    const rows = fc.array(fc.tuple(fc.nat(99), fc.nat(99), fc.constantFrom('exp', 'add', 'make', 'take')), {
      minLength: 1,
      maxLength: 16,
    });
    let met = 0;
    fc.assert(
      fc.property(rows, (all) => {
        const [tensors, lists]: [Value[], Value[]] = [[x], []];
        all.forEach(([i, j, kind], k) => {
          const [p, q] = [tensors[tensors.length - 1 - (i % tensors.length)]!, tensors[j % tensors.length]!];
          if (kind === 'make') lists.push(make(`m${k}`, list, p));
          else if (kind === 'take' && lists.length > 0)
            tensors.push(make(`t${k}`, tensor('f32', [64, 64]), lists[j % lists.length]!, p));
          else tensors.push(kind === 'exp' ? node(`e${k}`, p) : node(`a${k}`, p, q));
        });
        const p = lower(graph([x], [tensors.at(-1)!], ['y']));
        for (const { graph: g } of p.segments)
          for (const v of [...g.inputs, ...g.outputs]) expect(v.type.kind).toBe('tensor');
        for (const { kind, reason } of p.decisions) expect(reason === undefined).toBe(kind === 'engine');
        if (Object.values(reasons(p)).some((r) => r?.startsWith('it lies between'))) met++;
      }),
      { numRuns: 4000 },
    );
    expect(met).toBeGreaterThan(5);
  });
});

describe('a segment is given back', () => {
  const around = (inner: Value): Graph => graph([x], [node('z!', inner)], ['y']);
  const cheap = { work: () => 10 };

  test('when it does not pay for its borders', () => {
    const p = lower(around(node('small', node('w!', f32('v', 4)))), cheap);
    expect(kinds(p)).toBe('fallback');
    expect(reasons(p)['small']).toMatch(
      /^compiling its segment of 1 would save about 3 µs and cost 25 µs at the borders$/,
    );
  });

  test('not when it does much', () => {
    expect(kinds(lower(around(node('big', node('w!', x)))))).toBe('fallback engine fallback');
  });

  test('not when there is no border at all', () => {
    expect(kinds(lower(chain, cheap))).toBe('engine');
  });

  test('when it has few nodes', () => {
    const p = lower(chain, { minBlockSize: 4 });
    expect([kinds(p), reasons(p)['a']]).toEqual([
      'fallback',
      'its segment has 3 nodes, fewer than --min-block-size 4',
    ]);
    expect(kinds(lower(chain, { minBlockSize: 3 }))).toBe('engine');
  });

  test('one at a time: a neighbour that pays stays', () => {
    const small = node('small', node('w!', b));
    const p = lower(graph([x], [node('z!', small)], ['y']), {
      work: (n) => (n.origin.name === 'small' ? 1 : 1e9),
    });
    expect([kinds(p), Object.keys(reasons(p)).sort()]).toEqual(['engine fallback', ['small', 'w!', 'z!']]);
  });
});

test('sizes nobody knows are estimated by their range and name', () => {
  const flops = (...shape: ReturnType<typeof symbol>[]): number => {
    const v = inputValue('v', tensor('f32', shape));
    const p = lower(graph([v], [node('n', v)], ['y']), { work: () => shape[0]! });
    return p.decisions[0]!.work;
  };
  expect([symbol('T', 2, 10), symbol('batch'), symbol('T'), symbol('N', 3)].map((d) => flops(d))).toEqual([
    6, 1, 64, 3,
  ]);
});
