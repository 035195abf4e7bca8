import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { GpuBuilder, Launch } from '../../codegen/gpu/builder.js';
import { computeType, scalarText } from '../../codegen/scalar-text.js';
import { numel, type Shape } from '../../src/ir/dim.js';
import { type Expr, typeOfExpr } from '../../src/ir/expr.js';
import { bitsOf, type DType, isSigned, type TensorType } from '../../src/ir/type.js';
import { flag } from '../shared/elements.js';
import { broadcastLoops } from '../shared/loop.js';
import { isPacked } from '../shared/pointwise.js';
import { indexText } from './index-text.js';

const threads = 256;
/** Elements of a thread: their bits fill whole bytes, so that no two threads write one. */
const group = 8;

/** An expression some of whose operands or whose result share bytes. */
export function packedLaunch(expr: Expr, operands: readonly TensorType[], out: Shape, k: GpuBuilder): Launch {
  k.include('ait/gpu/scalar.h', 'ait/gpu/packed.h');
  const types = operands.map((t) => t.dtype);
  const result = typeOfExpr(expr, types);
  const { extents, strides } = broadcastLoops(
    out,
    operands.map((t) => t.shape),
  );
  const y = k.output();
  const n = k.dim(numel(out));
  const index = cpp`int64_t`;
  const indices = indexText(
    extents.map((d) => k.dim(d)),
    index,
  );
  const values = operands.map((t, i) => {
    const at = new Cpp(strides[i]!.map((step, d) => `i${d} * ${k.dim(step)}`).join(' + '));
    return cpp`[[maybe_unused]] const auto a${i} = ${read(t.dtype, k.input(i), at)};`;
  });
  // Storing rounds, so the last cast to a float is done with it.
  const top = expr.kind === 'cast' && computeType(result) !== result ? expr : undefined;
  const value = scalarText(top ? top.arg : expr, { types, operand: (i) => new Cpp(`a${i}`) });
  const bits = bitsOf[result];
  return {
    body: cpp`
      const ${index} first = (static_cast<${index}>(ait::gpu::block_x()) * ${threads} + ait::gpu::thread()) * ${group};
      if (first >= ${n}) return;
      const ${index} last = first + ${group} < ${n} ? first + ${group} : static_cast<${index}>(${n});
      ${bits < 8 && cpp`for (${index} b = first * ${bits} / 8; b < (last * ${bits} + 7) / 8; b++) ${y}[b] = 0;`}
      for (${index} i = first; i < last; i++) {
        ${indices}
        ${values}
        ${write(result, y, value, top)}
      }
    `,
    grid: [cpp`ait::gpu::blocks(${n}, ${threads * group})`],
    threads,
  };
}

function read(t: DType, p: Cpp, at: Cpp): Cpp {
  if (t === 'f4e2m1')
    return cpp`ait::to_f32(ait::f4e2m1{static_cast<uint8_t>(ait::get_packed<4, false>(${p}, ${at}))})`;
  if (isPacked(t)) return cpp`ait::get_packed<${bitsOf[t]}, ${flag(isSigned(t))}>(${p}, ${at})`;
  return computeType(t) === t ? cpp`${p}[${at}]` : cpp`ait::to_f32(${p}[${at}])`;
}

function write(t: DType, y: Cpp, value: Cpp, top: (Expr & { readonly kind: 'cast' }) | undefined): Cpp {
  const wide = top ? cpp`ait::fn::cast<float>(${value})` : value;
  if (t === 'f4e2m1') return cpp`ait::add_packed<4>(${y}, i, ait::from_f32<ait::f4e2m1>(${wide}).bits);`;
  if (isPacked(t)) return cpp`ait::add_packed<${bitsOf[t]}>(${y}, i, static_cast<int>(${value}));`;
  if (computeType(t) === t) return cpp`${y}[i] = ${value};`;
  return cpp`${y}[i] = ait::from_f32_as<${ctype[t]}>(${wide}, ${flag(top?.saturate ?? true)});`;
}
