import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import { defineGpuKernel, type GpuBuilder, type Launch } from '../../codegen/gpu/builder.js';
import { computeType, scalarText } from '../../codegen/scalar-text.js';
import { type Dim, type Shape, sameShape } from '../../src/ir/dim.js';
import { type Expr, typeOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, type Node, shapeOf, tensorOf } from '../../src/ir/graph.js';
import { bitsOf, type DType, type TensorType } from '../../src/ir/type.js';
import { denseStrides } from '../../src/ops/strides.js';
import { broadcastLoops } from '../shared/loop.js';
import { isPacked, pointwiseTraits } from '../shared/pointwise.js';
import { dividing, sumOf } from './element-loop.js';
import { indexText, indexType } from './index-text.js';
import { packedLaunch } from './pointwise-packed.js';
import { quickMath } from './quick-math.js';

const threads = 256;

/** Why an element type has no kernel on the GPU, if it has none. */
export const refuseType = (t: DType): string | undefined =>
  /^(f8|f4|c|string)/.test(t) || bitsOf[t] < 8 ? `${t} has no kernel for the GPU` : undefined;

export const refuseTypes = ({ inputs, outputs }: Pick<Node, 'inputs' | 'outputs'>): string | undefined =>
  [...inputs, ...outputs].map((v) => refuseType(dtypeOf(v))).find((why) => why !== undefined);

export const pointwiseKernel = defineGpuKernel({
  ...pointwiseTraits,
  expression: ({ attrs }) => attrs.expr,
  refuse: ({ inputs, outputs }) => {
    const t = [...inputs, ...outputs].map(dtypeOf).find((d) => /^(c|string)/.test(d));
    return t && `${t} has no kernel for the GPU`;
  },
  emit: ({ inputs, outputs, attrs: { expr } }, k) =>
    pointwiseLaunch(
      expr,
      inputs.map((v) => tensorOf(v)),
      shapeOf(outputs[0]!),
      k,
    ),
});

/** The value of an operand in the type it is computed in. */
export const widened = (t: DType, x: Cpp): Cpp => (computeType(t) === t ? x : cpp`ait::to_f32(${x})`);

/** A computed value as an element of type t. */
export const narrowed = (t: DType, x: Cpp): Cpp =>
  computeType(t) === t ? x : cpp`ait::from_f32<${ctype[t]}>(${x})`;

/** The expression's value as an element to store, its operands being `a0`, `a1`, … */
function elementText(expr: Expr, types: readonly DType[]): Cpp {
  const out = typeOfExpr(expr, types);
  // Storing rounds, so the last cast to a narrow float is done with it.
  const inner = expr.kind === 'cast' && computeType(out) !== out ? expr.arg : expr;
  const value = scalarText(inner, { types, operand: (i) => new Cpp(`a${i}`), shorter: quickMath(types) });
  if (computeType(out) === out) return value;
  const wide = computeType(typeOfExpr(inner, types)) === 'f32' ? value : cpp`ait::fn::cast<float>(${value})`;
  const saturates = expr.kind !== 'cast' || expr.saturate || !out.startsWith('f8');
  return saturates ? narrowed(out, wide) : cpp`ait::from_f32_as<${ctype[out]}>(${wide}, false)`;
}

/**
 * An expression over the node's inputs, seen as tensors of the given types, into its first result. A thread
 * computes 16 bytes of the widest tensor, where rows and addresses allow.
 */
export function pointwiseLaunch(
  expr: Expr,
  operands: readonly TensorType[],
  out: Shape,
  k: GpuBuilder,
): Launch {
  const types = operands.map((t) => t.dtype);
  const result = typeOfExpr(expr, types);
  if ([...types, result].some(isPacked)) return packedLaunch(expr, operands, out, k);
  const nest = broadcastLoops(
    out,
    operands.map((t) => t.shape),
  );
  const inner = nest.extents.length - 1;
  const widest = Math.max(...[...types, result].map((t) => bitsOf[t])) / 8;
  const y = k.output();
  const xs = operands.map((_, i) => k.input(i));
  const extents = nest.extents.map((d) => k.dim(d));
  const strides = nest.strides.map((s) => s.map((d) => k.dim(d)));
  const count = join(extents, ' * ');
  const lane = (i: number): Dim => nest.strides[i]![inner]!;
  const isWhole = nest.strides.every((s) => s[inner] === 0 || s[inner] === 1);
  // Every row must begin where a whole access may.
  const rows = nest.strides.flatMap((s, i) => (lane(i) === 1 ? s.slice(0, inner) : []));
  const steps = [...(inner > 0 ? [nest.extents[inner]!] : []), ...rows];
  const width = isWhole ? Math.min(16 / widest, 8, dividing(steps)) : 1;
  k.include('ait/gpu/scalar.h');
  const index = indexType(out);
  const offsets = nest.strides.map((s, i) =>
    inner === 0
      ? scaled(cpp`i`, s[0]!, strides[i]![0]!)
      : sameShape(s, denseStrides(nest.extents))
        ? cpp`i`
        : sumOf(
            [...s.keys()].filter((d) => s[d] !== 0).map((d) => scaled(cpp`i${d}`, s[d]!, strides[i]![d]!)),
          ),
  );
  const indices = inner === 0 ? [] : indexText(extents, index);
  const element = elementText(expr, types);
  const vector = cpp`
    ${types.map((t, i) => (lane(i) === 1 ? cpp`const auto v${i} = ait::gpu::load<${width}>(x${i} + ${offsets[i]!});` : cpp`const auto a${i} = ${widened(t, cpp`x${i}[${offsets[i]!}]`)};`))}
    ait::gpu::Vec<${ctype[result]}, ${width}> r;
    AIT_UNROLL
    for (int j = 0; j < ${width}; j++) {
      ${types.flatMap((t, i) => (lane(i) === 1 ? [cpp`const auto a${i} = ${widened(t, cpp`v${i}[j]`)};`] : []))}
      r[j] = ${element};
    }
    ait::gpu::store(${y} + i, r);
  `;
  const single = cpp`
    ${types.map((t, i) => cpp`const auto a${i} = ${widened(t, cpp`x${i}[${offsets[i]!}]`)};`)}
    ${y}[i] = ${element};
  `;
  const aligned = join(
    [y, ...xs.filter((_, i) => lane(i) === 1)].map((p) => cpp`reinterpret_cast<uintptr_t>(${p})`),
    ' | ',
  );
  const each = new Cpp('each');
  const flat = inner === 0 && width > 1;
  const body =
    width === 1
      ? cpp`
          const ${index} i = static_cast<${index}>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread();
          if (i >= ${count}) return;
          ${indices}
          ${single}
        `
      : cpp`
          const ${index} i0 = (static_cast<${index}>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread()) * each;
          if (i0 >= ${count}) return;
          if (each == ${width} && ${flat ? cpp`i0 + ${width} <= ${count}` : cpp`true`}) {
            const ${index} i = i0;
            ${indices}
            ${vector}
            return;
          }
          for (${index} i = i0; i < ${count} && i < i0 + each; i++) {
            ${indices}
            ${single}
          }
        `;
  const value = cpp`((${aligned}) % 16 == 0 ? ${width} : 1)`;
  return {
    body,
    grid: [
      width === 1
        ? cpp`(${count} + ${threads - 1}) / ${threads}`
        : cpp`ait::gpu::blocks(${count}, ${threads} * ${value})`,
    ],
    threads,
    ...(width === 1 ? {} : { values: [{ type: cpp`int`, name: each, value }] }),
  };
}

const scaled = (i: Cpp, step: Dim, text: Cpp): Cpp =>
  step === 1 ? i : step === 0 ? cpp`0` : cpp`${i} * ${text}`;
