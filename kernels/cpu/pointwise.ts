import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineKernel, type KernelBuilder } from '../../codegen/kernel.js';
import { computeType, scalarText } from '../../codegen/scalar-text.js';
import { type Dim, numel, sameShape } from '../../src/ir/dim.js';
import { costOfExpr, type Expr, typeOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, type DType, isFloat } from '../../src/ir/type.js';
import { pointwise } from '../../src/ops/pointwise.js';
import { broadcastLoops, type LoopNest } from './loop.js';

/** Elements a thread must have to be worth waking, for an expression of one operation. */
const grainOfOne = 32768;

export const pointwiseKernel = defineKernel({
  op: pointwise,

  refuse: ({ inputs, outputs }) => {
    for (const v of [...inputs, ...outputs]) {
      const t = dtypeOf(v);
      if (bitsOf[t] < 8 || t.startsWith('c')) return `${t} has no pointwise kernel`;
    }
    return undefined;
  },

  inPlace: ({ inputs, outputs }) => {
    const out = outputs[0]!;
    return inputs.flatMap((v, i) =>
      sameShape(shapeOf(v), shapeOf(out)) && bitsOf[dtypeOf(v)] === bitsOf[dtypeOf(out)] ? [i] : [],
    );
  },

  work: ({ attrs, outputs }) => numel([costOfExpr(attrs.expr), ...shapeOf(outputs[0]!)]),

  emit: ({ inputs, outputs, attrs: { expr } }, k) => {
    const nest = broadcastLoops(
      shapeOf(outputs[0]!),
      inputs.map((v) => shapeOf(v)),
    );
    const types = inputs.map(dtypeOf);
    const row = isVector(expr, types) ? vectorRow(expr, types, nest, k) : scalarRow(expr, types, nest, k);
    k.include('ait/scalar.h');
    return loops(nest, row, Math.max(256, Math.round(grainOfOne / Math.max(1, costOfExpr(expr)))), k);
  },
});

/** Computable on vectors of f32: operands and result floats of at most 32 bits, truth values only in between. */
function isVector(e: Expr, types: readonly DType[]): boolean {
  const narrow = (t: DType): boolean => isFloat(t) && computeType(t) === 'f32' && t !== 'f8e8m0';
  const inner = (x: Expr): boolean => {
    const t = typeOfExpr(x, types);
    switch (x.kind) {
      case 'in':
        return narrow(t);
      case 'const':
        return narrow(t);
      case 'cast':
        return t === 'f32' && inner(x.arg) && narrow(typeOfExpr(x.arg, types));
      case 'call':
        return (narrow(t) || t === 'bool') && x.args.every(inner);
      default:
        return x satisfies never;
    }
  };
  return narrow(typeOfExpr(e, types)) && inner(e);
}

/** A row: n elements from index i; every operand's step along it is 0, 1 or another number. */
type Row = (steps: readonly Dim[], count: Cpp) => Cpp;

const at = (operand: Cpp, step: Dim, k: KernelBuilder): Cpp =>
  step === 0 ? cpp`${operand}[0]` : step === 1 ? cpp`${operand}[i]` : cpp`${operand}[i * ${k.dim(step)}]`;

function scalarRow(expr: Expr, types: readonly DType[], _: LoopNest, k: KernelBuilder): Row {
  return (steps, count) => {
    const value = scalarText(expr, {
      types,
      operand: (i) => {
        const x = at(new Cpp(`p${i}`), steps[i]!, k);
        const t = types[i]!;
        return computeType(t) === t ? x : cpp`ait::to_f32(${x})`;
      },
    });
    const out = dtypeOf(k.node.outputs[0]!);
    const stored = computeType(out) === out ? value : cpp`ait::from_f32<${ctype[out]}>(${value})`;
    return cpp`for (int64_t i = 0; i < ${count}; i++) q[i] = ${stored};`;
  };
}

function vectorRow(expr: Expr, types: readonly DType[], nest: LoopNest, k: KernelBuilder): Row {
  return (steps, count) => {
    if (steps.some((s) => s !== 0 && s !== 1)) return scalarRow(expr, types, nest, k)(steps, count);
    const V = new Cpp('ait::f32v');
    const operand = (i: number): Cpp => new Cpp(`a${i}`);
    const value = scalarText(expr, { types, operand, vector: V });
    const varying = steps.flatMap((s, i) => (s === 1 ? [i] : []));
    const fixed = steps.flatMap((s, i) => (s === 0 ? [i] : []));
    const load = (i: number, tail: boolean): Cpp =>
      tail
        ? cpp`const ${V} a${i} = ait::load_as_n<${V}>(p${i} + i, rest);`
        : cpp`const ${V} a${i} = ait::load_as<${V}>(p${i} + i);`;
    return cpp`
      ${fixed.map((i) => cpp`const ${V} a${i} = ait::splat<${V}>(ait::cast_to<float>(p${i}[0]));`)}
      int64_t i = 0;
      for (; i + ait::kF32 <= ${count}; i += ait::kF32) {
        ${varying.map((i) => load(i, false))}
        ait::store_as(q + i, ${value});
      }
      if (i < ${count}) {
        const int rest = static_cast<int>(${count} - i);
        ${varying.map((i) => load(i, true))}
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
