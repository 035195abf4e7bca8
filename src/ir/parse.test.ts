import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompileError } from '../support/diagnostic.js';
import { add, apply, type Dim, type DimFunction, mul, symbol } from './dim.js';
import { arg, call, cast, type Expr, constant as konst } from './expr.js';
import { type Attrs, type AttrValue, emit, type Graph, graph, inputValue, type Op } from './graph.js';
import { literalOf } from './literal.js';
import { parse } from './parse.js';
import { print } from './print.js';
import { bitsOf, type DType, tensor } from './type.js';

const copy: Op<Attrs> = { name: 'copy', infer: ([x]) => [x!] };
const pair: Op<Attrs> = { name: 'pair', infer: ([x]) => [x!, tensor('i64', [2])] };
const operators = [copy, pair];
const origin = { format: 'pass', name: 'test' } as const;

const round = (g: Graph): string => print(parse(print(g), { operators }));

const symbols = [
  symbol('B'),
  symbol('n_2', -3, 9),
  symbol('k', Number.NEGATIVE_INFINITY),
  symbol('few', 1, 8),
];
const calls = fc.constantFrom<DimFunction>('floordiv', 'mod', 'min', 'max', 'lt', 'eq', 'select');
const dim: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(...symbols),
    fc.integer({ min: -9, max: 99 }),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => add(a, b)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => mul(a, b)),
    fc.tuple(calls, tie('dim'), tie('dim'), tie('dim')).map(([fn, a, b, c]) => apply(fn, [a, b, c])),
  ),
})).dim;

const double = fc.double();
const expr: fc.Arbitrary<Expr> = fc.letrec<{ expr: Expr }>((tie) => ({
  expr: fc.oneof(
    { maxDepth: 3 },
    fc.nat(3).map(arg),
    double.map((x) => konst(x, 'f32')),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((x) => konst(x, 'i64')),
    fc
      .tuple(fc.constantFrom<DType>('f32', 'f8e4m3fn', 'bool'), fc.boolean(), tie('expr'))
      .map(([t, s, e]) => cast(t, e, s)),
    fc.tuple(tie('expr'), tie('expr')).map(([a, b]) => call('mul', a, b)),
    tie('expr').map((a) => call('exp', a)),
  ),
})).expr;

const small = fc
  .constantFrom<DType>('f32', 'f16', 'i64', 'u8', 'bool', 'f64')
  .chain((t) =>
    fc
      .array(/^f/.test(t) ? double : fc.nat(t === 'bool' ? 1 : 200), { maxLength: 20 })
      .map((values) => literalOf(t, [values.length], values)),
  );

const types = fc.tuple(fc.constantFrom(...(Object.keys(bitsOf) as DType[])), fc.array(dim, { maxLength: 3 }));
const attr: fc.Arbitrary<AttrValue> = fc.letrec<{ attr: AttrValue }>((tie) => ({
  attr: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    double,
    fc.integer(),
    fc.bigInt(-(2n ** 70n), 2n ** 70n),
    fc.boolean(),
    dim,
    expr,
    small,
    types.map(([t, s]) => tensor(t, s)),
    fc
      .constantFrom('sequence<f32[*]>', 'map<i64,optional<f32[N,?]>>')
      .map((text): AttrValue => ({ kind: 'opaque', text })),
    fc.array(tie('attr'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b_2', 'name'), tie('attr'), { noNullPrototype: true }),
  ),
})).attr;

describe('parse', () => {
  it('reads every attribute that print writes', () => {
    const x = inputValue('x "quoted"\n', tensor('f32', [symbols[0]!, symbols[3]!]));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('p', 'q', 'r'), attr, { noNullPrototype: true }), (attrs) => {
        const g = graph([x], emit(copy, [x], attrs, origin).outputs);
        expect(round(g)).toBe(print(g));
      }),
    );
  });

  it('reads several results, bindings and bodies', () => {
    const x = inputValue('x', tensor('f32', [symbols[1]!]));
    const inner = inputValue('y', tensor('f32', [symbols[3]!, symbols[2]!]));
    const body = graph([inner], emit(copy, [inner], {}, origin).outputs);
    const both = emit(pair, [x], { body, list: [body, 1] }, origin).outputs;
    const bindings = new Map([['n_2', { value: both[1]!, element: 1 }]]);
    const last = emit(copy, [both[0]!], { n: symbols[1]! }, origin).outputs[0]!;
    const g = graph([x], [last, both[1]!], undefined, bindings);
    expect(round(g)).toBe(print(g));
    expect(print(g)).toContain('bind n_2 = %2[1]');
  });

  it('knows large constants by their keys alone, unless it is given them', () => {
    const big = literalOf(
      'f32',
      [100],
      Array.from({ length: 100 }, (_, i) => i),
    );
    const g = graph([], emit({ name: 'copy', infer: () => [big.type] }, [], { value: big }, origin).outputs);
    const ops = [{ name: 'copy', infer: () => [big.type] }];
    const again = parse(print(g), { operators: ops });
    expect(print(again)).toBe(print(g));
    const unknown = again.outputs[0]!.node.attrs.value as typeof big;
    expect(() => unknown.bytes()).toThrow(CompileError);
    const known = parse(print(g), { operators: ops, literal: (key) => (key === big.key ? big : undefined) });
    expect(known.outputs[0]!.node.attrs.value).toBe(big);
  });

  it.each([
    [
      '%0 = input("x") : f32[2]\n%1 = unknown(%0) : f32[2]\nreturn %1',
      /line 2, column \d+: expected a known operator/,
    ],
    [
      '%0 = input("x") : f32[2]\n%1 = copy(%0) : f32[3]\nreturn %1',
      /expected f32\[2\] after copy instead of f32\[3\]/,
    ],
    ['%0 = copy(%1) : f32[3]\nreturn %0', /%1, which is not defined yet/],
    ['return %0 extra', /not defined/],
    ['%0 = input("x") : f33[2]\nreturn %0', /expected an element type/],
    ['%0 = input("x") : f32[2]\nreturn %0 %0', /expected the end/],
  ])('says where %s is wrong', (text, message) => {
    expect(() => parse(text, { operators })).toThrow(message);
  });
});
