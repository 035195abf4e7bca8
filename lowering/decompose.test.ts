import { expect, test } from 'vitest';
import { arg, call, constant, type Expr } from '../src/ir/expr.js';
import { matmul } from '../src/ops/matmul.js';
import { pointwise } from '../src/ops/pointwise.js';
import { decompose } from './decompose.js';
import { B, b, f32, of, text } from './graphs.fixtures.js';

const x = f32('x', B, 8);
const by = (e: Expr, c: number): Expr => call('div', e, constant(c, 'f32'));

test('a quotient by a constant is a product, in expressions and epilogues', () => {
  const y = b(pointwise, [x], { expr: call('exp', call('mul', by(arg(0), 6), constant(3, 'f32'))) });
  const z = b(matmul, [y, f32('w', 8, 4)], { transA: false, transB: false, epilogue: by(arg(0), 10) });
  expect(text(decompose.run(of([x], z)))).toMatchInlineSnapshot(`
    "%1 = pointwise(%0, expr={exp(mul($0, 0.5:f32))}) : f32[B,8]
    %3 = matmul(%1, %2, transA=false, transB=false, epilogue={mul($0, 0.10000000149011612:f32)}) : f32[B,4]
    return %3"
  `);
});

test('it stays where somebody rounds or compares it, or its inverse is no normal number', () => {
  const third = b(pointwise, [x], { expr: by(arg(0), 3) });
  const g = of(
    [x],
    b(pointwise, [x], { expr: call('floor', by(arg(0), 3)) }),
    b(pointwise, [third], { expr: call('round', arg(0)) }),
    b(pointwise, [x], { expr: by(arg(0), 2 ** 127) }),
    b(pointwise, [x], { expr: by(arg(0), 0) }),
  );
  expect(decompose.run(g)).toBe(g);
});
