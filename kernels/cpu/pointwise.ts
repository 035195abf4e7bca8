import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType, isVector, scalarText, storedBy } from '../../codegen/scalar-text.js';
import { type Dim, numel, type Shape, sameShape } from '../../src/ir/dim.js';
import { costOfExpr, type Expr, typeOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf, tensorOf } from '../../src/ir/graph.js';
import { bitsOf, type DType, type TensorType } from '../../src/ir/type.js';
import { pointwise } from '../../src/ops/pointwise.js';
import { broadcastLoops, type LoopNest } from './loop.js';
import { isPacked, packedText } from './pointwise-packed.js';

/** Elements a thread must have to be worth waking, for an expression of one operation. */
const grainOfOne = 32768;

export const pointwiseKernel = defineKernel({
  op: pointwise,

  refuse: ({ inputs, outputs }) => {
    for (const v of [...inputs, ...outputs]) {
      const t = dtypeOf(v);
      if (t === 'string' || t.startsWith('c')) return `${t} has no pointwise kernel`;
    }
    return undefined;
  },

  inPlace: ({ inputs, outputs }) => {
    const out = outputs[0]!;
    if ([...inputs, out].some((v) => isPacked(dtypeOf(v)))) return [];
    return inputs.flatMap((v, i) =>
      sameShape(shapeOf(v), shapeOf(out)) && bitsOf[dtypeOf(v)] === bitsOf[dtypeOf(out)] ? [i] : [],
    );
  },

  work: ({ attrs, outputs }) => numel([costOfExpr(attrs.expr), ...shapeOf(outputs[0]!)]),

  emit: ({ inputs, outputs, attrs: { expr } }, k) =>
    pointwiseText(
      expr,
      inputs.map((v) => tensorOf(v)),
      shapeOf(outputs[0]!),
      k,
    ),
});

/** The loops of an expression over the node's inputs, seen as tensors of the given types, and its first result. */
export function pointwiseText(
  expr: Expr,
  operands: readonly TensorType[],
  out: Shape,
  k: KernelBuilder,
): Cpp {
  const types = operands.map((t) => t.dtype);
  if (types.some(isPacked) || isPacked(typeOfExpr(expr, types))) return packedText(expr, operands, out, k);
  const nest = broadcastLoops(
    out,
    operands.map((t) => t.shape),
  );
  const row = isVector(expr, types) ? vectorRow(expr, types, nest, k) : scalarRow(expr, types, nest, k);
  k.include('ait/scalar.h');
  return loops(nest, row, Math.max(256, Math.round(grainOfOne / Math.max(1, costOfExpr(expr)))), k);
}

/** A row: n elements from index i; every operand's step along it is 0, 1 or another number. */
type Row = (steps: readonly Dim[], count: Cpp) => Cpp;

const at = (operand: Cpp, step: Dim, k: KernelBuilder): Cpp =>
  step === 0 ? cpp`${operand}[0]` : step === 1 ? cpp`${operand}[i]` : cpp`${operand}[i * ${k.dim(step)}]`;

function scalarRow(expr: Expr, types: readonly DType[], _: LoopNest, k: KernelBuilder): Row {
  const out = typeOfExpr(expr, types);
  const plain = computeType(out) === out;
  const cast = expr.kind === 'cast' && !plain ? expr : undefined;
  // What a narrow float is rounded to once needs no saturation when it is stored.
  const saturate = cast && out.startsWith('f8') ? cast.saturate : false;
  return (steps, count) => {
    const value = scalarText(cast ? cast.arg : expr, {
      types,
      operand: (i) => {
        const x = at(new Cpp(`p${i}`), steps[i]!, k);
        const t = types[i]!;
        return computeType(t) === t ? x : cpp`ait::to_f32(${x})`;
      },
    });
    const flag = new Cpp(String(saturate));
    const stored = plain
      ? value
      : cpp`ait::from_f32<${ctype[out]}, ${flag}>(${cast ? cpp`ait::fn::cast<float>(${value})` : value})`;
    return cpp`for (int64_t i = 0; i < ${count}; i++) q[i] = ${stored};`;
  };
}

function vectorRow(expr: Expr, types: readonly DType[], nest: LoopNest, k: KernelBuilder): Row {
  return (steps, count) => {
    if (steps.some((s) => s !== 0 && s !== 1)) return scalarRow(expr, types, nest, k)(steps, count);
    const V = new Cpp('ait::f32v');
    const operand = (i: number): Cpp => new Cpp(`a${i}`);
    const value = scalarText(storedBy(expr, types), { types, operand, vector: V });
    const varying = steps.flatMap((s, i) => (s === 1 ? [i] : []));
    const fixed = steps.flatMap((s, i) => (s === 0 ? [i] : []));
    const isBool = (i: number): boolean => types[i] === 'bool';
    const once = (i: number): Cpp =>
      isBool(i)
        ? cpp`const ait::i32v a${i} = ait::i32v{} - static_cast<int32_t>(p${i}[0]);`
        : cpp`const ${V} a${i} = ait::splat<${V}>(ait::cast_to<float>(p${i}[0]));`;
    const load = (i: number): Cpp =>
      isBool(i)
        ? cpp`const ait::i32v a${i} = ait::fn::load_mask<${V}>(p${i} + i);`
        : cpp`const ${V} a${i} = ait::load_as<${V}>(p${i} + i);`;
    const loadTail = (i: number): Cpp =>
      isBool(i)
        ? cpp`const ait::i32v a${i} = ait::fn::load_mask_n<${V}>(p${i} + i, rest);`
        : cpp`const ${V} a${i} = ait::load_as_n<${V}>(p${i} + i, rest);`;
    return cpp`
      ${fixed.map(once)}
      int64_t i = 0;
      for (; i + ait::kF32 <= ${count}; i += ait::kF32) {
        ${varying.map(load)}
        ait::store_as(q + i, ${value});
      }
      if (i < ${count}) {
        const int rest = static_cast<int>(${count} - i);
        ${varying.map(loadTail)}
        ait::store_as_n(q + i, ${value}, rest);
      }
    `;
  };
}

function loops(nest: LoopNest, row: Row, grain: number, k: KernelBuilder): Cpp {
  const { extents, strides } = nest;
  const inner = extents.length - 1;
  const steps = strides.map((s) => s[inner]!);
  const y = k.output();
  const xs = strides.map((_, i) => k.input(i));
  const pointers = (offsets: readonly Cpp[]): readonly Cpp[] =>
    xs.map((x, i) => cpp`const auto* p${i} = ${x}${offsets[i]};`);
  if (inner === 0) {
    return cpp`
      ait::parallel_for(ctx, ${k.dim(extents[0]!)}, ${grain}, [&](int64_t begin, int64_t end) {
        ${pointers(steps.map((s) => (s === 0 ? cpp`` : s === 1 ? cpp` + begin` : cpp` + begin * ${k.dim(s)}`)))}
        auto* q = ${y} + begin;
        ${row(steps, new Cpp('(end - begin)'))}
      });
    `;
  }
  const rows = numel(extents.slice(0, inner));
  const n = k.dim(extents[inner]!);
  // Recovers the outer indices of a row; the outermost needs no remainder.
  const outer = extents.slice(0, inner);
  const indices = outer.map((_, d) => {
    const below = outer.slice(d + 1).map((e) => k.dim(e));
    const div = below.length === 0 ? cpp`r` : cpp`r / (${join(below, ' * ')})`;
    return d === 0
      ? cpp`const int64_t i${d} = ${div};`
      : cpp`const int64_t i${d} = ${div} % ${k.dim(outer[d]!)};`;
  });
  const offset = (s: readonly Dim[]): Cpp => {
    const terms = outer.flatMap((_, d) =>
      s[d] === 0 ? [] : s[d] === 1 ? [cpp`i${d}`] : [cpp`i${d} * ${k.dim(s[d]!)}`],
    );
    return terms.length === 0 ? cpp`` : cpp` + ${join(terms, ' + ')}`;
  };
  const inRow = typeof extents[inner] === 'number' ? Math.max(1, extents[inner]) : 64;
  return cpp`
    ait::parallel_for(ctx, ${k.dim(rows)}, ${Math.max(1, Math.ceil(grain / inRow))}, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        ${indices}
        ${pointers(strides.map(offset))}
        auto* q = ${y} + r * ${n};
        ${row(steps, n)}
      }
    });
  `;
}
