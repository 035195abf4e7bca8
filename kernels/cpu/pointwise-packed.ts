import { Cpp, cpp, ctype } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import { computeType, scalarText } from '../../codegen/scalar-text.js';
import { type Dim, numel, type Shape } from '../../src/ir/dim.js';
import { type Expr, typeOfExpr } from '../../src/ir/expr.js';
import { bitsOf, type DType, isSigned, type TensorType } from '../../src/ir/type.js';
import { flag } from '../shared/elements.js';
import { broadcastLoops } from '../shared/loop.js';
import { isPacked } from '../shared/pointwise.js';

/** Elements whose bits fill whole bytes, so that no two threads write one. */
const group = 8;

/** The loops of an expression some of whose operands or whose result share bytes: one element at a time. */
export function packedText(expr: Expr, operands: readonly TensorType[], out: Shape, k: KernelBuilder): Cpp {
  k.include('ait/scalar.h');
  const types = operands.map((t) => t.dtype);
  const result = typeOfExpr(expr, types);
  const { extents, strides } = broadcastLoops(
    out,
    operands.map((t) => t.shape),
  );
  const n = k.dim(numel(out));
  const y = k.output();
  // A single loop needs no indices: its operands step by 0 or 1.
  const single = extents.length === 1;
  const indices = extents.map((extent, d) => {
    const below = k.dim(numel(extents.slice(d + 1)));
    return cpp`const int64_t i${d} = i / ${below} % ${k.dim(extent)};`;
  });
  const position = (s: readonly Dim[]): Cpp =>
    single ? cpp`i * ${k.dim(s[0]!)}` : new Cpp(s.map((step, d) => `i${d} * ${k.dim(step)}`).join(' + '));
  const values = operands.map((t, i) => read(t.dtype, k.input(i), position(strides[i]!), i));
  const top = expr.kind === 'cast' && computeType(result) !== result ? expr : undefined;
  const value = scalarText(top ? top.arg : expr, { types, operand: (i) => new Cpp(`a${i}`) });
  const bits = bitsOf[result];
  return cpp`
    ait::parallel_for(ctx, ait::ceil_div(${n}, ${group}), 1024, [&](int64_t begin, int64_t end) {
      const int64_t last = ait::min_of<int64_t>(end * ${group}, ${n});
      ${
        bits < 8 &&
        cpp`std::memset(${y} + begin * ${bits}, 0, static_cast<size_t>(ait::ceil_div((last - begin * ${group}) * ${bits}, 8)));`
      }
      for (int64_t i = begin * ${group}; i < last; i++) {
        ${!single && indices}
        ${values}
        ${write(result, y, value, top?.kind === 'cast' && top.saturate && result.startsWith('f8'), top !== undefined)}
      }
    });
  `;
}

function read(t: DType, p: Cpp, at: Cpp, i: number): Cpp {
  const name = new Cpp(`a${i}`);
  if (t === 'f4e2m1') return cpp`const float ${name} = ait::get_f4(${p}, ${at});`;
  if (isPacked(t)) {
    const code = cpp`ait::get_packed<${bitsOf[t]}, ${flag(isSigned(t))}>(${p}, ${at})`;
    return cpp`const int32_t ${name} = ${code};`;
  }
  if (computeType(t) !== t) return cpp`const float ${name} = ait::to_f32(${p}[${at}]);`;
  return cpp`const ${ctype[t]} ${name} = ${p}[${at}];`;
}

function write(t: DType, y: Cpp, value: Cpp, saturate: boolean, isCast: boolean): Cpp {
  const narrow = isCast ? cpp`ait::fn::cast<float>(${value})` : value;
  if (t === 'f4e2m1') return cpp`ait::set_f4(${y}, i, ${narrow});`;
  if (isPacked(t)) return cpp`ait::set_packed<${bitsOf[t]}>(${y}, i, static_cast<int>(${value}));`;
  if (computeType(t) !== t) return cpp`${y}[i] = ait::from_f32<${ctype[t]}, ${flag(saturate)}>(${narrow});`;
  return cpp`${y}[i] = ${value};`;
}
