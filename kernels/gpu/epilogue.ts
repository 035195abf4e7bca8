import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { GpuBuilder } from '../../codegen/gpu/builder.js';
import { computeType, scalarText } from '../../codegen/scalar-text.js';
import type { Shape } from '../../src/ir/dim.js';
import { arg, typeOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import type { DType } from '../../src/ir/type.js';
import { epilogueOperand, refuseEpilogue } from '../../src/ops/epilogue.js';
import { type Contraction, type EpilogueUse, isPlain } from '../shared/contractions.js';
import { flag } from '../shared/elements.js';
import { alignedInput } from './aligned.js';
import { refuseTypes, widened } from './pointwise.js';
import { quickMath } from './quick-math.js';

/** Why the functor cannot be made, as a sentence. */
export const refuseFunctor = (node: Contraction, use: EpilogueUse): string | undefined =>
  refuseTypes(node) ?? refuseEpilogue(node, use.own, use.layout);

/** The functor that hands sums through. */
export const noEpilogue = (sums: DType): Cpp => cpp`ait::gpu::NoEpilogue<${ctype[computeType(sums)]}>{}`;

/** Defines a functor `Epilogue`, as contraction.h says what one is, and gives the text that makes one. */
export function epilogueFunctor(node: Contraction, k: GpuBuilder, use: EpilogueUse): Cpp {
  const epilogue = node.attrs.epilogue ?? arg(0);
  if (epilogue.kind === 'in' && epilogue.index === 0) return noEpilogue(use.sums);
  k.include('ait/gpu/scalar.h', 'ait/gpu/contraction.h');
  const extras = node.inputs.slice(use.own);
  const types = [use.sums, ...extras.map(dtypeOf)];
  const out: Shape = shapeOf(node.outputs[0]!);
  const access = extras.map((v) => epilogueOperand(out, shapeOf(v), use.layout)!);
  const place = (e: number): Cpp => {
    const p = new Cpp(`p${e + 1}`);
    const how = access[e]!;
    switch (how) {
      case 'scalar':
        return p;
      case 'row':
        return cpp`${p} + row`;
      case 'channel':
        return cpp`${p} + col`;
      case 'full':
        return cpp`${p} + row * ld + col`;
      default:
        return how satisfies never;
    }
  };
  const isRun = (e: number): boolean => access[e] === 'channel' || access[e] === 'full';
  const loads = extras.map((_, e) => {
    const name = new Cpp(`v${e + 1}`);
    return isRun(e)
      ? cpp`const auto ${name} = ait::gpu::read_run<N>(${place(e)});`
      : cpp`const auto ${name} = *(${place(e)});`;
  });
  const operands = extras.map((v, e) => {
    const own = new Cpp(isRun(e) ? `v${e + 1}.v[i]` : `v${e + 1}`);
    return cpp`[[maybe_unused]] const auto a${e + 1} = ${widened(dtypeOf(v), own)};`;
  });
  const result = typeOfExpr(epilogue, types);
  const inner = epilogue.kind === 'cast' && computeType(result) !== result ? epilogue.arg : epilogue;
  // Layers that differ in their constants alone share one kernel, which takes long to compile.
  const constants: number[] = [];
  const value = scalarText(inner, {
    types,
    operand: (i) => new Cpp(i === 0 ? 'acc' : `a${i}`),
    constant: (x) => (isPlain(x) ? undefined : new Cpp(`c${constants.push(x) - 1}`)),
    shorter: quickMath(types),
  });
  const computed = computeType(typeOfExpr(inner, types));
  const sums = ctype[computeType(use.sums)];
  const needsLd = access.includes('full');
  const byColumn = access.every((how) => how === 'scalar' || how === 'channel');
  k.helper(cpp`
    struct Epilogue {
      using Result = ${ctype[computed]};
      static constexpr bool kByColumn = ${flag(byColumn)};
      ${extras.map((v, e) => cpp`const ${ctype[dtypeOf(v)]}* p${e + 1};`)}
      ${needsLd && cpp`int64_t ld;`}
      ${constants.map((_, i) => cpp`float c${i};`)}
      template <int N>
      AIT_DEVICE void apply(const ${sums} (&sums)[N], Result (&results)[N], int64_t row, int64_t col) const {
        (void)row, (void)col;
        ${loads}
        AIT_UNROLL
        for (int i = 0; i < N; i++) {
          [[maybe_unused]] const ${sums} acc = sums[i];
          ${operands}
          results[i] = ${value};
        }
      }
    };
  `);
  const fields = extras.map((_, e) => (isRun(e) ? alignedInput(k, use.own + e) : k.input(use.own + e)));
  if (needsLd) fields.push(k.fresh(out.at(-1)!));
  for (const x of constants) fields.push(k.number(x));
  return cpp`Epilogue{${join(fields, ', ')}}`;
}
