import { describe, expect, test } from 'vitest';
import { imported, model, node, value } from '../../fixtures/onnx-importer/material.js';
import { type Dim, substitute, symbol } from '../ir/dim.js';
import { shapeOf } from '../ir/graph.js';
import { nodesOf } from '../ir/rewrite.js';
import { intsAttribute, stringAttribute } from '../onnx/make.js';
import { conv } from './conv.js';
import { toChannelsFirst, toChannelsLast, type Window, windowCounts } from './window.js';

const n = symbol('n', 1);
const at = (d: Dim, value: number): Dim => substitute(d, new Map([['n', value]]));

/** Windows counted one by one: each must lie inside the padded input, or with `ceil` start inside it. */
function counted(extent: number, [k, s, p0, p1, d]: readonly number[], ceil: boolean): number {
  const span = (k! - 1) * d! + 1;
  let count = 0;
  for (let start = -p0!; ; start += s!) {
    const fits = start + span <= extent + p1!;
    // What hangs over may be at most one stride short of fitting, and must start before the padding at the end.
    const hangs = ceil && start + span < extent + p1! + s! && start < extent;
    if (!fits && !hangs) return count;
    count++;
  }
}

describe('the number of windows', () => {
  const windows = [
    [3, 1, 1, 1, 1],
    [3, 2, 1, 1, 1],
    [2, 2, 0, 0, 1],
    [3, 3, 0, 2, 1],
    [5, 2, 2, 1, 2],
    [1, 4, 0, 0, 1],
    [4, 3, 1, 3, 1],
  ] as const;
  test.each(windows)('kernel %i, stride %i, pads %i and %i, dilation %i', (k, s, p0, p1, d) => {
    const w: Window = { kernel: [k], strides: [s], pads: [p0, p1], dilations: [d] };
    for (const ceil of [false, true]) {
      const [symbolic] = windowCounts([n], w, ceil);
      for (let extent = (k - 1) * d + 1; extent < 25; extent++) {
        const expected = counted(extent, [k, s, p0, p1, d], ceil);
        expect(windowCounts([extent], w, ceil)).toEqual([expected]);
        expect(at(symbolic!, extent)).toBe(expected);
      }
    }
  });

  test('a window of another number of axes is an error', () => {
    const w: Window = { kernel: [3, 3], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1] };
    expect(() => windowCounts([5], w)).toThrow('does not have 1 axes');
  });
});

test.each(['SAME_UPPER', 'SAME_LOWER'])('%s pads an extent that only the running model knows', (mode) => {
  const { graph } = imported(
    model({
      input: [value('x', 'f32', 1, 2, 'n'), value('w', 'f32', 4, 2, 4)],
      node: [
        node('Conv', ['x', 'w'], ['y'], stringAttribute('auto_pad', mode), intsAttribute('strides', [3])),
      ],
      output: [value('y')],
    }),
  );
  const [made] = nodesOf(graph, conv);
  for (let extent = 1; extent < 20; extent++) {
    const out = Math.ceil(extent / 3);
    const total = Math.max(0, (out - 1) * 3 + 4 - extent);
    const [small, large] = [Math.floor(total / 2), Math.ceil(total / 2)];
    const expected = mode === 'SAME_UPPER' ? [small, large] : [large, small];
    expect(made!.attrs.pads.map((d) => at(d, extent))).toEqual(expected);
    expect(at(shapeOf(made!.outputs[0]!)[2]!, extent)).toBe(out);
  }
});

test('the axes that move channels undo one another', () => {
  for (const rank of [3, 4, 5]) {
    const [last, first] = [toChannelsLast(rank), toChannelsFirst(rank)];
    expect(last.map((i) => first[i])).toEqual([...last.keys()]);
  }
});
