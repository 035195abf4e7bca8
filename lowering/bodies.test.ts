import { expect, test } from 'vitest';
import { graph, inputValue, type Value } from '../src/ir/graph.js';
import { tensor } from '../src/ir/type.js';
import { if_ } from '../src/ops/control-flow.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { inBodies } from './bodies.js';
import { fusePointwise } from './fuse-pointwise.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';

const condition = inputValue('condition', tensor('bool', []));
const x = f32('x', B, 8);

function branch(v: Value) {
  const inner = f32('captured', B, 8);
  const branchOf = (depth: number) => {
    let y = inner;
    for (let i = 0; i < depth; i++) y = b(pointwise, [y], callOf('exp', 1));
    return graph([inner], [y]);
  };
  return b(if_, [condition, v], {
    thenBranch: branchOf(2),
    elseBranch: branchOf(1),
    captured: 1,
    outputs: [x.type],
  });
}

test('a pass changes the bodies and what is around them', async () => {
  const y = branch(b(pointwise, [b(pointwise, [x], callOf('neg', 1))], callOf('exp', 1)));
  const after = text(await inBodies(fusePointwise).run(of([condition, x], y)));
  expect(after).toContain('exp(exp($0))');
  expect(after).toContain('exp(neg($0))');
});

test('where it changes nothing the graph stays', async () => {
  const inner = f32('captured', B, 8);
  const same = graph([inner], [b(pointwise, [inner], callOf('exp', 1))]);
  const y = b(if_, [condition, x], { thenBranch: same, elseBranch: same, captured: 1, outputs: [x.type] });
  const g = of([condition, x], y);
  expect(await inBodies(fusePointwise).run(g)).toBe(g);
});
