import { describe, expect, test } from 'vitest';
import { type Dim, show, symbol } from '../ir/dim.js';
import { emit, inputValue, type Value } from '../ir/graph.js';
import { type DType, showType, tensor } from '../ir/type.js';
import { concat } from './concat.js';
import { type Content, content } from './content.js';
import { expand } from './expand.js';
import { gather } from './gather.js';
import type { OpDef } from './op.js';
import { pad } from './pad.js';
import { iota } from './range.js';
import { scaled } from './resize.js';
import { slice } from './slice.js';
import { stridedView } from './strided-view.js';
import { transpose } from './transpose.js';

const origin = { format: 'pass', name: 'test' } as const;
const n = symbol('n', 1);
const input = (dtype: DType, ...shape: readonly Dim[]): Value => inputValue('x', tensor(dtype, shape));
const typeOf = (v: Value): string => showType(v.type);

function evaluated<A extends Parameters<OpDef['infer']>[1]>(
  op: OpDef<A>,
  inputs: readonly Content[],
  attrs: A,
): string | undefined {
  const types = op.infer(
    inputs.map((c) => tensor(c.dtype, c.shape)),
    attrs,
  );
  const result = op.evaluate?.(inputs, attrs, types as never);
  return result && `[${result.shape}] ${result.data.map(show)}`;
}

describe('shape arithmetic', () => {
  const shape = content('i64', [3], [2, n, 4]);
  test('takes one extent', () => {
    expect(evaluated(gather, [shape, content('i64', [], [-2])], { axis: 0 })).toBe('[] n');
  });
  test('takes several extents', () => {
    const part = { starts: [1], steps: [1], shape: [2] };
    expect(evaluated(slice, [shape], part)).toBe('[2] n,4');
  });
  test('reverses', () => {
    expect(evaluated(slice, [shape], { starts: [2], steps: [-1], shape: [3] })).toBe('[3] 4,n,2');
  });
  test('joins', () => {
    const minusOne = content('i64', [1], [-1]);
    expect(evaluated(concat, [shape, minusOne], { axis: 0 })).toBe('[4] 2,n,4,-1');
  });
  test('joins rows', () => {
    const [a, b] = [content('i64', [2, 1], [1, 2]), content('i64', [2, 2], [3, 4, 5, 6])];
    expect(evaluated(concat, [a, b], { axis: 1 })).toBe('[2,3] 1,3,4,2,5,6');
  });
  test('repeats', () => {
    expect(evaluated(expand, [content('i64', [2, 1], [7, n])], { shape: [2, 2] })).toBe('[2,2] 7,7,n,n');
  });
  test('counts', () => {
    expect(evaluated(iota, [], { start: n, step: 2, count: 3, dtype: 'i64' })).toBe('[3] n,n+2,n+4');
  });
  test('refuses an index outside', () => {
    expect(() => evaluated(gather, [shape, content('i64', [1], [3])], { axis: 0 })).toThrow(/index 3/);
  });
});

describe('types', () => {
  test('joined extents add up, and a known extent settles an unknown one', () => {
    const [a, b] = [input('f32', n, 3), input('f32', symbol('m'), symbol('k'))];
    expect(typeOf(emit(concat, [a, b], { axis: 0 }, origin).outputs[0]!)).toBe('f32[n+m,3]');
  });
  test('tensors of other extents do not join', () => {
    expect(() => emit(concat, [input('f32', 2, 3), input('f32', 2, 4)], { axis: 0 }, origin)).toThrow(/join/);
  });
  test('padding adds to symbols and may cut', () => {
    const padded = emit(pad, [input('f32', n, 4)], { before: [1, -1], after: [2, -1], mode: 'edge' }, origin);
    expect(typeOf(padded.outputs[0]!)).toBe('f32[n+3,2]');
  });
  test('nothing can be repeated around an empty tensor', () => {
    const attrs = { before: [1], after: [0], mode: 'edge' } as const;
    expect(() => emit(pad, [input('f32', 0)], attrs, origin)).toThrow(/padded/);
  });
});

describe('the strided view of a node', () => {
  const view = (node: Parameters<typeof stridedView>[0]): string => {
    const v = stridedView(node)!;
    return `${show(v.offset)} [${v.strides.map(show)}]`;
  };
  test('of a transpose', () => {
    expect(view(emit(transpose, [input('f32', 2, n, 4)], { perm: [2, 0, 1] }, origin))).toBe('0 [1,4*n,4]');
  });
  test('of a slice', () => {
    const attrs = { starts: [1, 3], steps: [1, -2], shape: [2, 2] };
    expect(view(emit(slice, [input('f32', 5, n)], attrs, origin))).toBe('n+3 [n,-2]');
  });
  test('of an expansion that only the run decides', () => {
    const v = emit(expand, [input('f32', symbol('m'), 3)], { shape: [5, 3] }, origin);
    expect(view(v)).toBe('0 [select(eq(m,1),0,3),1]');
  });
});

describe('a scaled extent', () => {
  test.each([
    [7, 0.5, '3'],
    [10, 0.7, '7'],
    [3, 1 / 3, '1'],
    [n, 2, '2*n'],
    [n, 0.5, 'floordiv(n,2)'],
    [n, 1.5, 'floordiv(3*n,2)'],
    [n, 1 / 3, 'floordiv(n,3)'],
  ] as const)('%s times %d is %s', (extent, scale, expected) => {
    expect(show(scaled(extent, Math.fround(scale))!)).toBe(expected);
  });
  test('is not guessed for a scale that is no simple fraction', () => {
    expect(scaled(n, Math.PI)).toBeUndefined();
  });
});
