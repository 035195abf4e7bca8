import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType, isVector, scalarText, storedBy } from '../../codegen/scalar-text.js';
import { type Dim, type Shape, sameShape } from '../../src/ir/dim.js';
import { costOfExpr, type Expr, typeOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf, tensorOf } from '../../src/ir/graph.js';
import type { DType, TensorType } from '../../src/ir/type.js';
import { denseStrides } from '../../src/ops/strides.js';
import { flag } from '../shared/elements.js';
import { broadcastLoops, type LoopNest } from '../shared/loop.js';
import { isPacked, pointwiseTraits } from '../shared/pointwise.js';
import { packedText } from './pointwise-packed.js';

/** Elements a thread must have to be worth waking, for an expression of one operation. */
const grainOfOne = 32768;

export const pointwiseKernel = defineKernel({
  ...pointwiseTraits,

  refuse: ({ inputs, outputs }) => {
    for (const v of [...inputs, ...outputs]) {
      const t = dtypeOf(v);
      if (t === 'string' || t.startsWith('c')) return `${t} has no pointwise kernel`;
    }
    return undefined;
  },

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
  const row = isVector(expr, types) ? vectorRow(expr, types) : scalarRow(expr, types);
  k.include('ait/scalar.h');
  return loops(nest, row, Math.max(256, Math.round(grainOfOne / Math.max(1, costOfExpr(expr)))), k);
}

/** A row: n elements from index i; every operand's step along it is 0, 1 or another number. */
type Row = (steps: readonly Cpp[], count: Cpp) => Cpp;

const at = (operand: Cpp, step: Cpp): Cpp =>
  step.text === '0'
    ? cpp`${operand}[0]`
    : step.text === '1'
      ? cpp`${operand}[i]`
      : cpp`${operand}[i * ${step}]`;

function scalarRow(expr: Expr, types: readonly DType[]): Row {
  const out = typeOfExpr(expr, types);
  const plain = computeType(out) === out;
  const cast = expr.kind === 'cast' && !plain ? expr : undefined;
  // What a narrow float is rounded to once needs no saturation when it is stored.
  const saturate = cast && out.startsWith('f8') ? cast.saturate : false;
  return (steps, count) => {
    const value = scalarText(cast ? cast.arg : expr, {
      types,
      operand: (i) => {
        const x = at(new Cpp(`p${i}`), steps[i]!);
        const t = types[i]!;
        return computeType(t) === t ? x : cpp`ait::to_f32(${x})`;
      },
    });
    const stored = plain
      ? value
      : cpp`ait::from_f32<${ctype[out]}, ${flag(saturate)}>(${cast ? cpp`ait::fn::cast<float>(${value})` : value})`;
    return cpp`
      AIT_INDEPENDENT
      for (int64_t i = 0; i < ${count}; i++) q[i] = ${stored};
    `;
  };
}

function vectorRow(expr: Expr, types: readonly DType[]): Row {
  return (steps, count) => {
    if (steps.some((s) => s.text !== '0' && s.text !== '1')) return scalarRow(expr, types)(steps, count);
    const V = new Cpp('ait::f32v');
    const operand = (i: number): Cpp => new Cpp(`a${i}`);
    const value = scalarText(storedBy(expr, types), { types, operand, vector: V });
    const varying = steps.flatMap((s, i) => (s.text === '1' ? [i] : []));
    const fixed = steps.flatMap((s, i) => (s.text === '0' ? [i] : []));
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

/** Rows shorter than this are compiled for their own length. */
const longRow = 64;

/**
 * Names of a nest's extents and strides. They are parameters, so that tensors of other shapes share the code,
 * unless the rows are so short that knowing their length pays.
 */
function sizesOf(
  { extents, strides }: LoopNest,
  k: KernelBuilder,
): { extents: readonly Cpp[]; strides: readonly (readonly Cpp[] | undefined)[] } {
  const inner = extents.at(-1)!;
  const short = extents.length > 1 && typeof inner === 'number' && inner < longRow;
  const name = (d: Dim): Cpp => (short ? k.dim(d) : k.arg(d));
  return {
    extents: extents.map(name),
    // A tensor that lies as the result does is found by the row's number.
    strides: strides.map((s) =>
      sameShape(s, denseStrides(extents)) && extents.length > 1
        ? undefined
        : s.map((d) => (d === 0 || d === 1 ? k.dim(d) : name(d))),
    ),
  };
}

function loops(nest: LoopNest, row: Row, grain: number, k: KernelBuilder): Cpp {
  const inner = nest.extents.length - 1;
  const sizes = sizesOf(nest, k);
  const y = k.output();
  const xs = nest.strides.map((_, i) => k.input(i));
  const steps = sizes.strides.map((s) => s?.[inner] ?? new Cpp('1'));
  const times = (a: string, b: Cpp): Cpp => (b.text === '1' ? new Cpp(a) : cpp`${new Cpp(a)} * ${b}`);
  const pointers = (offsets: readonly (readonly Cpp[])[]): readonly Cpp[] =>
    xs.map((x, i) => cpp`const auto* p${i} = ${join([x, ...offsets[i]!], ' + ')};`);
  const count = new Cpp('count');
  if (inner === 0)
    return cpp`
      ait::parallel_for(ctx, ${sizes.extents[0]}, ${grain}, [&](int64_t begin, int64_t end) {
        ${pointers(steps.map((s) => (s.text === '0' ? [] : [times('begin', s)])))}
        auto* q = ${y} + begin;
        const int64_t count = end - begin;
        ${row(steps, count)}
      });
    `;
  const n = sizes.extents[inner]!;
  // Recovers the outer indices of a row; the outermost needs no remainder.
  const outer = sizes.extents.slice(0, inner);
  const used = (d: number): boolean => sizes.strides.some((s) => s !== undefined && s[d]!.text !== '0');
  const indices = outer.flatMap((extent, d) => {
    if (!used(d)) return [];
    const below = outer.slice(d + 1);
    const div = below.length === 0 ? cpp`r` : cpp`r / (${join(below, ' * ')})`;
    return [cpp`const int64_t i${d} = ${d === 0 ? div : cpp`${div} % ${extent}`};`];
  });
  const offsets = sizes.strides.map((s) =>
    s === undefined
      ? [cpp`r * count`]
      : outer.flatMap((_, d) => (s[d]!.text === '0' ? [] : [times(`i${d}`, s[d]!)])),
  );
  return cpp`
    const int64_t rows = ${join(outer, ' * ')};
    ait::parallel_for(ctx, rows, ait::ceil_div(${grain}, ait::max_of<int64_t>(1, ${n})), [&](int64_t begin, int64_t end) {
      // A copy that no store through q can change.
      const int64_t count = ${n};
      for (int64_t r = begin; r < end; r++) {
        ${indices}
        ${pointers(offsets)}
        auto* q = ${y} + r * count;
        ${row(steps, count)}
      }
    });
  `;
}
