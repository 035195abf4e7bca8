import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import { scalarText } from '../../codegen/scalar-text.js';
import { arg, type Expr, mapOperands } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import {
  epilogueOperand,
  isIntegerEpilogue,
  isIntegralExpr,
  type Layout,
  refuseEpilogue,
} from '../../src/ops/epilogue.js';
import type { Contraction } from '../shared/contractions.js';

/** Inputs in front of the operands: both factors and their zero points. */
const own = 4;

export function refuseIntegerFunctor(node: Contraction, layout: Layout): string | undefined {
  const { epilogue } = node.attrs;
  if (epilogue === undefined) return undefined;
  const types: readonly DType[] = ['i32', ...node.inputs.slice(own).map(dtypeOf)];
  if (!isIntegerEpilogue(epilogue, types)) return 'its epilogue does not compute in 32-bit lanes';
  return refuseEpilogue(node, own, layout);
}

/** Constants that nearly every epilogue has. */
const limits: readonly number[] = [0, 255, -128, 127];

const operator: Readonly<Record<string, string>> = { add: '+', sub: '-', mul: '*' };

/** Text of an integral expression over vectors of int32_t. */
function integralText(e: Expr): Cpp {
  if (e.kind === 'in') return new Cpp(e.index === 0 ? 'acc' : `i${e.index}`);
  if (e.kind === 'cast') return integralText(e.arg);
  if (e.kind !== 'call') throw new TypeError('not an integral expression');
  return cpp`(${integralText(e.args[0]!)} ${new Cpp(operator[e.fn]!)} ${integralText(e.args[1]!)})`;
}

/** The functor of a contraction of 8-bit integers: from vectors of 32-bit sums to vectors of f32 or int32_t. */
export function integerFunctor(node: Contraction, k: KernelBuilder, layout: Layout): Cpp {
  const { epilogue } = node.attrs;
  if (epilogue === undefined) return new Cpp('ait::QNoEpilogue{}');
  k.include('ait/scalar.h', 'ait/epilogue.h');
  const extras = node.inputs.slice(own);
  const types: readonly DType[] = ['i32', ...extras.map(dtypeOf)];
  const out = shapeOf(node.outputs[0]!);
  const access = extras.map((v) => epilogueOperand(out, shapeOf(v), layout)!);

  // Integral parts become operands of their own: f32 lanes computed in front.
  const parts: Cpp[] = [];
  const partTypes: DType[] = [...types];
  const lift = (e: Expr): Expr => {
    if (e.kind === 'cast' && e.to === 'f32' && isIntegralExpr(e.arg, types)) {
      const index = types.length + parts.length;
      parts.push(
        cpp`const ait::f32v a${index} = __builtin_convertvector(${integralText(e.arg)}, ait::f32v);`,
      );
      partTypes.push('f32');
      return arg(index);
    }
    if (e.kind === 'cast') return { ...e, arg: lift(e.arg) };
    return e.kind === 'call' ? { ...e, args: e.args.map(lift) } : e;
  };
  const integral = isIntegralExpr(epilogue, types);
  const narrowed = !integral && epilogue.kind === 'cast' && (epilogue.to === 'u8' || epilogue.to === 'i8');
  // Layers that differ in scales and zero points alone share one kernel.
  const constants: number[] = [];
  let value: Cpp;
  if (integral) value = integralText(epilogue);
  else {
    const lifted = lift(narrowed && epilogue.kind === 'cast' ? epilogue.arg : epilogue);
    const text = scalarText(lifted, {
      types: partTypes,
      operand: (i) => new Cpp(`a${i}`),
      vector: new Cpp('ait::f32v'),
      constant: (x) => (limits.includes(x) ? undefined : new Cpp(`c${constants.push(x) - 1}`)),
    });
    value = narrowed ? cpp`ait::cast_v<ait::i32v>(${text})` : text;
  }

  const used = new Set<number>();
  mapOperands(epilogue, (i) => {
    used.add(i);
    return arg(i);
  });
  const loads = extras.flatMap((v, x) => {
    const i = x + 1;
    if (!used.has(i)) return [];
    const integer = !/^b?f/.test(dtypeOf(v));
    const [V, name] = integer ? [cpp`ait::i32v`, cpp`i${i}`] : [cpp`ait::f32v`, cpp`a${i}`];
    const scalar = integer ? cpp`int32_t` : cpp`float`;
    const p = new Cpp(`p${i}`);
    const at = { scalar: cpp`0`, row: cpp`row`, channel: cpp`col`, full: cpp`row * ld + col` }[access[x]!];
    const single = access[x] === 'scalar' || access[x] === 'row';
    return single
      ? [cpp`const ${V} ${name} = ${V}{} + ait::cast_to<${scalar}>(${p}[${at}]);`]
      : [cpp`const ${V} ${name} = ait::columns<${V}>(${p} + ${at}, lanes);`];
  });
  const ld = access.includes('full');
  k.helper(cpp`
    struct Epilogue {
      ${extras.map((v, x) => cpp`const ${ctype[dtypeOf(v)]}* p${x + 1};`)}
      ${ld && cpp`int64_t ld;`}
      ${constants.map((_, i) => cpp`float c${i};`)}
      auto operator()(ait::i32v acc, int64_t row, int64_t col, int lanes) const {
        (void)row, (void)col, (void)lanes;
        ${loads}
        ${parts}
        return ${value};
      }
    };
  `);
  const fields = extras.map((_, x) => k.input(own + x));
  if (ld) fields.push(k.fresh(out.at(-1)!));
  for (const x of constants) fields.push(k.number(x));
  return cpp`Epilogue{${join(fields, ', ')}}`;
}
