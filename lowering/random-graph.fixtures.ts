import { isStatic, numel, type Shape } from '../src/ir/dim.js';
import { arg, call, constant, type Expr } from '../src/ir/expr.js';
import { type Graph, shapeOf, type Value } from '../src/ir/graph.js';
import { concat } from '../src/ops/concat.js';
import { conv } from '../src/ops/conv.js';
import { expand } from '../src/ops/expand.js';
import { matmul } from '../src/ops/matmul.js';
import { pad } from '../src/ops/pad.js';
import { pointwise } from '../src/ops/pointwise.js';
import { reduce } from '../src/ops/reduce.js';
import { reshape } from '../src/ops/reshape.js';
import { slice } from '../src/ops/slice.js';
import { softmax } from '../src/ops/softmax.js';
import { transpose } from '../src/ops/transpose.js';
import { b, f32, konst, of } from './graphs.fixtures.js';

/** A graph of operators that passes rewrite, drawn from a seed: small tensors, many movements, shared values. */
export function randomGraph(seed: number, size = 20): Graph {
  let state = seed * 0x9e3779b1 + 1;
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * n);
  };
  const one = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const permutation = (n: number): readonly number[] => {
    const left = Array.from({ length: n }, (_, i) => i);
    const out: number[] = [];
    while (left.length > 0) out.push(left.splice(below(left.length), 1)[0]!);
    return out;
  };
  const weights = (...shape: readonly number[]): Value => {
    const count = shape.reduce((p, q) => p * q, 1);
    return konst(
      shape,
      Array.from({ length: count }, (_, i) => Math.sin(i * 2.3 + seed) / 2),
    );
  };
  const known = (v: Value): readonly number[] => shapeOf(v) as readonly number[];
  const inputs = [f32('x', 2, 4, 6, 3), f32('y', 2, 4, 6, 3), f32('z', 4, 6, 8)];
  const values: Value[] = [...inputs];

  const unary = (v: Value): Value => {
    const c = (x: number): Expr => constant(x, 'f32');
    const expr = one<Expr>([
      call('tanh', arg(0)),
      call('mul', arg(0), call('sigmoid', arg(0))),
      call('max', arg(0), c(0)),
      call('mul', arg(0), c(one([0.5, -1, 3, 1]))),
      call('add', arg(0), c(one([0, 1, -2]))),
      call('min', call('max', arg(0), c(-1)), c(1)),
      call('abs', arg(0)),
    ]);
    return b(pointwise, [v], { expr });
  };
  const binary = (v: Value): Value => {
    const shape = known(v);
    const same = values.filter((w) => known(w).join() === shape.join());
    const narrow = shape.map((d) => (below(2) === 0 ? d : 1)).slice(below(2));
    const other = below(2) === 0 ? one(same) : weights(...narrow);
    const expr = call(one(['add', 'mul', 'sub', 'max'] as const), arg(0), arg(1));
    return b(pointwise, below(2) === 0 ? [v, other] : [other, v], { expr });
  };
  const reshaped = (v: Value): Value => {
    const shape = [...known(v)];
    const at = below(shape.length);
    const choice = below(4);
    if (choice === 0) shape.splice(at, 0, 1);
    else if (choice === 1 && shape.length > 1)
      shape.splice(
        at % (shape.length - 1),
        2,
        shape[at % (shape.length - 1)]! * shape[(at % (shape.length - 1)) + 1]!,
      );
    else if (choice === 2 && shape[at]! % 2 === 0) shape.splice(at, 1, 2, shape[at]! / 2);
    else if (shape.includes(1) && shape.length > 1) shape.splice(shape.indexOf(1), 1);
    return b(reshape, [v], { shape });
  };
  const sliced = (v: Value): Value => {
    const shape = known(v);
    const starts = shape.map((d) => (below(3) === 0 && d > 1 ? 1 : 0));
    const steps = shape.map((d, i) => (below(5) === 0 && d - starts[i]! > 2 ? 2 : 1));
    const to = shape.map((d, i) => Math.max(1, Math.floor((d - starts[i]! - below(2)) / steps[i]!)));
    return b(slice, [v], { starts, steps, shape: to });
  };
  const padded = (v: Value): Value => {
    const amount = (): Shape => known(v).map(() => (below(3) === 0 ? 1 : 0));
    return b(pad, [v], {
      before: amount(),
      after: amount(),
      mode: one(['constant', 'constant', 'edge'] as const),
    });
  };
  const joined = (v: Value): Value => {
    const same = values.filter((w) => known(w).join() === known(v).join());
    return b(concat, [v, one(same)], { axis: below(known(v).length) });
  };
  const reduced = (v: Value): Value => {
    const axes = permutation(known(v).length).slice(0, 1 + below(2));
    return b(reduce, [v], { kind: one(['sum', 'mean', 'max'] as const), axes, keepdims: below(2) === 0 });
  };
  const multiplied = (v: Value): Value => {
    const [k, n] = [known(v).at(-1)!, 1 + below(4)];
    const transB = below(2) === 0;
    return b(matmul, [v, transB ? weights(n, k) : weights(k, n)], { transA: false, transB });
  };
  const conved = (v: Value): Value => {
    const image = below(2) === 0 ? b(transpose, [v], { perm: [0, 3, 1, 2] }) : v;
    const [, c, h, w] = known(image);
    const kernel = [Math.min(h!, 1 + below(3)), Math.min(w!, 1 + below(3))];
    return b(conv, [image, weights(1 + below(4), c!, ...kernel)], {
      kernel,
      strides: [1, 1],
      pads: [0, below(2), below(2), 0],
      dilations: [1, 1],
      groups: 1,
      layout: 'NCX',
    });
  };
  const grow = (v: Value): Value => {
    const rank = known(v).length;
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        return b(transpose, [v], { perm: permutation(rank) });
      case 3:
        return unary(v);
      case 4:
        return binary(v);
      case 5:
        return reshaped(v);
      case 6:
        return sliced(v);
      case 7:
        return padded(v);
      case 8:
        return joined(v);
      case 9:
        return rank > 1 ? reduced(v) : v;
      case 10:
        return rank === 4 ? conved(v) : rank > 1 ? multiplied(v) : unary(v);
      default:
        return below(2) === 0
          ? b(softmax, [v], { form: 'softmax', axis: below(rank) })
          : b(expand, [v], { shape: known(v).map((d) => (d === 1 ? 2 : d)) });
    }
  };
  for (let i = 0; i < size; i++) {
    // Recent values more often, so that chains grow long.
    const v = values[Math.max(0, values.length - 1 - below(below(2) === 0 ? 2 : values.length))]!;
    if (known(v).length === 0 || known(v).length > 6) continue;
    const next = grow(v);
    if (isStatic(shapeOf(next)) && Number(numel(shapeOf(next))) < 5000) values.push(next);
  }
  return of(inputs, ...values.slice(-3));
}
