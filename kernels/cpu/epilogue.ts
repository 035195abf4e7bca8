import { Cpp, cpp, ctype, join } from '../../codegen/cpp.js';
import type { KernelBuilder } from '../../codegen/kernel.js';
import { computeType, scalarText } from '../../codegen/scalar-text.js';
import type { Shape } from '../../src/ir/dim.js';
import { arg, costOfExpr, typeOfExpr } from '../../src/ir/expr.js';
import { dtypeOf, shapeOf } from '../../src/ir/graph.js';
import { bitsOf, type DType, isFloat } from '../../src/ir/type.js';
import { epilogueOperand, isVectorExpr, refuseEpilogue } from '../../src/ops/epilogue.js';
import { type Contraction, type EpilogueUse, isPlain } from '../shared/contractions.js';

/** Expressions dearer than this are kept out of the unrolled micro-kernels. */
const heavyCost = 6;

/** Why the functor cannot be made, as a sentence. */
export function refuseFunctor(node: Contraction, use: EpilogueUse): string | undefined {
  const { epilogue } = node.attrs;
  if (epilogue === undefined) return undefined;
  const types = [use.sums, ...node.inputs.slice(use.own).map(dtypeOf)];
  const vector = computeType(use.sums) === 'f32';
  if (vector ? !isVectorExpr(epilogue, types) : types.some((t) => bitsOf[t] < 8 || t === 'string'))
    return 'its epilogue does not compute on vectors of f32';
  return refuseEpilogue(node, use.own, use.layout);
}

/** The type the contraction's template stores: f32 for every float that computes as such. */
export const storedType = (node: Contraction): DType => computeType(dtypeOf(node.outputs[0]!));

/**
 * Defines a functor `Epilogue` for the contraction templates and gives the text that makes one.
 * It is called with sums, the row of the whole result and the first column.
 */
export function epilogueFunctor(node: Contraction, k: KernelBuilder, use: EpilogueUse): Cpp {
  const epilogue = node.attrs.epilogue ?? arg(0);
  const extras = node.inputs.slice(use.own);
  const types = [use.sums, ...extras.map(dtypeOf)];
  const out: Shape = shapeOf(node.outputs[0]!);
  const vector = computeType(use.sums) === 'f32';
  if (epilogue.kind === 'in' && epilogue.index === 0 && vector) return new Cpp('ait::NoEpilogue{}');
  k.include('ait/scalar.h', 'ait/epilogue.h');
  const access = extras.map((v) => epilogueOperand(out, shapeOf(v), use.layout)!);
  const V = vector ? new Cpp('V') : ctype[use.sums];
  const compute = (i: number): Cpp => (vector ? new Cpp('V') : ctype[computeType(types[i]!)]);
  const loads = extras.map((_, e) => {
    const i = e + 1;
    const p = new Cpp(`p${i}`);
    const cols = vector ? cpp`ait::columns<V>(` : cpp`ait::cast_to<${compute(i)}>(*ait::element(`;
    const close = vector ? cpp`lanes)` : cpp`0))`;
    const one = (at: Cpp): Cpp =>
      vector ? cpp`ait::splat<V>(ait::to_f32(${p}[${at}]))` : cpp`ait::cast_to<${compute(i)}>(${p}[${at}])`;
    const how = access[e]!;
    switch (how) {
      case 'scalar':
        return cpp`const ${compute(i)} a${i} = ${one(cpp`0`)};`;
      case 'row':
        return cpp`const ${compute(i)} a${i} = ${one(cpp`row`)};`;
      case 'channel':
        return cpp`const ${compute(i)} a${i} = ${cols}${p} + col, ${close};`;
      case 'full':
        return cpp`const ${compute(i)} a${i} = ${cols}${p} + row * ld + col, ${close};`;
      default:
        return how satisfies never;
    }
  });
  // Layers that differ in their constants alone share one kernel, which takes long to compile.
  const constants: number[] = [];
  const value = scalarText(epilogue, {
    types,
    operand: (i) => new Cpp(i === 0 ? 'acc' : `a${i}`),
    ...(vector ? { vector: new Cpp('V') } : {}),
    constant: (x) => (isPlain(x) ? undefined : new Cpp(`c${constants.push(x) - 1}`)),
  });
  const needsLd = access.includes('full');
  const result = typeOfExpr(epilogue, types);
  const uses = access.includes('row') || needsLd;
  k.helper(cpp`
    struct Epilogue {
      ${vector && costOfExpr(epilogue) > heavyCost && cpp`static constexpr bool kHeavy = true;`}
      ${extras.map((v, e) => cpp`const ${ctype[dtypeOf(v)]}* p${e + 1};`)}
      ${needsLd && cpp`int64_t ld;`}
      ${constants.map((_, i) => cpp`float c${i};`)}
      ${vector && cpp`template <class V>`}
      ${vector ? V : ctype[computeType(result)]} operator()(${V} acc, int64_t row, int64_t col, int lanes) const {
        ${!uses && cpp`(void)row;`}
        (void)col, (void)lanes;
        ${loads}
        return ${value};
      }
    };
  `);
  const fields = extras.map((_, e) => k.input(use.own + e));
  if (needsLd) fields.push(k.fresh(out.at(-1)!));
  for (const x of constants) fields.push(k.number(x));
  return cpp`Epilogue{${join(fields, ', ')}}`;
}

/** Narrow floats pass through f32 in scratch memory. */
export const isNarrow = (t: DType): boolean => isFloat(t) && computeType(t) !== t;
