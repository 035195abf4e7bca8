import { expect, test } from 'vitest';
import { type Graph, graph, inputValue } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { if_ } from '../src/ops/control-flow.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { lowerBranches } from './branches.js';
import { b, f32 } from './graphs.fixtures.js';

const x = f32('x', 4);
const condition = inputValue('c', tensor('bool', []));
const inner = f32('inner', 4);
const body = (fn: 'exp' | 'abs'): Graph => graph([inner], [b(pointwise, [inner], callOf(fn, 1))]);
const [then, otherwise] = [body('exp'), body('abs')];
const chosen = b(if_, [condition, x], {
  thenBranch: then,
  elseBranch: otherwise,
  captured: 1,
  outputs: [tensor('f32', [4])],
});
const g = graph([condition, x], [b(pointwise, [chosen], callOf('neg', 1))], ['y']);

test('both bodies are lowered, and the node is built again over them', async () => {
  const seen: Graph[] = [];
  const other = body('exp');
  const lowered = await lowerBranches(g, async (inside) => {
    seen.push(inside);
    return inside === then ? other : inside;
  });
  expect(seen).toEqual([then, otherwise]);
  const node = lowered.outputs[0]!.node.inputs[0]!.node;
  expect([node.attrs['thenBranch'], node.attrs['elseBranch']]).toEqual([other, otherwise]);
  expect(node.attrs['thenBranch']).toBe(other);
  expect(node.origin).toBe(chosen.node.origin);
});

test('a graph whose bodies stay is the same graph', async () => {
  expect(await lowerBranches(g, async (inside) => inside)).toBe(g);
  const none = graph([x], [b(pointwise, [x], callOf('exp', 1))]);
  expect(await lowerBranches(none, () => Promise.reject(new Error('there is no body')))).toBe(none);
});
