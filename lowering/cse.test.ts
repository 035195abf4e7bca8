import { expect, test } from 'vitest';
import { foreign } from '../src/ops/foreign.js';
import { callOf, pointwise } from '../src/ops/pointwise.js';
import { transpose } from '../src/ops/transpose.js';
import { cse } from './cse.js';
import { b, f32, iota, konst, of, text } from './graphs.fixtures.js';

const x = f32('x', 4, 6);

test('equal nodes become one, and so what reads them', () => {
  const branch = () =>
    b(pointwise, [b(transpose, [x], { perm: [1, 0] }), konst([4], [1, 2, 3, 4])], callOf('add', 2));
  const g = of(
    [x],
    b(pointwise, [branch(), branch()], callOf('mul', 2)),
    b(transpose, [branch()], { perm: [0, 1] }),
  );
  expect(text(cse.run(g))).toMatchInlineSnapshot(`
    "%1 = transpose(%0, perm=[1, 0]) : f32[6,4]
    %2 = constant(value=f32[4] {1, 2, 3, 4}) : f32[4]
    %3 = pointwise(%1, %2, expr={add($0, $1)}) : f32[6,4]
    %4 = pointwise(%3, %3, expr={mul($0, $1)}) : f32[6,4]
    %5 = transpose(%3, perm=[0, 1]) : f32[6,4]
    return %4, %5"
  `);
});

test('large constants are one only when they are the same object', () => {
  const big = iota(600, 500);
  const again = b(big.node.op, [], big.node.attrs);
  const equal = iota(600, 500);
  const [p, q, r] = cse.run(of([], big, again, equal)).outputs;
  expect(q).toBe(p);
  expect(r).not.toBe(p);
});

test('different nodes stay, and foreign ones that look equal', () => {
  const random = () =>
    b(foreign, [x], {
      domain: '',
      opType: 'RandomNormalLike',
      overload: '',
      opset: 21,
      attributes: [],
      absent: [],
      captured: 0,
      outputs: [x.type],
      unnamed: [],
      reason: 'random',
    });
  const g = of(
    [x],
    b(transpose, [x], { perm: [1, 0] }),
    b(transpose, [x], { perm: [0, 1] }),
    konst([2], [0, 1]),
    konst([2], [-0, 1]),
    random(),
    random(),
  );
  expect(cse.run(g)).toBe(g);
});
