import { broadcast, type Dim, type Shape, show } from '../ir/dim.js';
import { arg, call, type Expr, constant as konst } from '../ir/expr.js';
import { dtypeOf, type Node, type Requirement, shapeOf, type Value } from '../ir/graph.js';
import { type DType, isFloat, isInteger, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { addedFirst, epilogueToOnnx, epilogueType, withOperand } from './epilogue.js';
import { fusedGemm, fusedMatMul } from './microsoft-contractions.js';
import { int, ints, type OnnxEmitter } from './onnx-emitter.js';
import { type Build, defineOp, type OpDef, type SourceNode, sameDtype } from './op.js';
import { broadcasts, equal } from './requirements.js';
import { reshape } from './reshape.js';

export type MatmulAttrs = {
  /** The operand's last two axes are exchanged. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** Whether a GPU may round the operands to TF32. */
  readonly tf32?: true;
  /** Applied to the sums ($0) and the inputs after the matrices ($1, …). */
  readonly epilogue?: Expr | undefined;
};

/** Products of matrices, the axes in front of the last two broadcast. */
export const matmul: OpDef<MatmulAttrs> = defineOp({
  name: 'matmul',

  infer: ([a, b, ...extras], attrs) => {
    const dtype = sameDtype('matmul', [a!, b!]);
    if (!isFloat(dtype) && !isInteger(dtype))
      throw new CompileError('type-mismatch', `matmul does not take ${dtype}`);
    return epilogueType(tensor(dtype, productShape(a!.shape, b!.shape, attrs)), extras, attrs.epilogue);
  },

  requires: ([a, b], attrs, [out]) => productRequires(a!.shape, b!.shape, attrs, out!.shape),

  onnx: {
    MatMul: { 1: matMul },
    Gemm: { 1: convertGemm },
    'com.microsoft::FusedMatMul': { 1: fusedMatMul },
    'com.microsoft::FusedGemm': { 1: fusedGemm },
  },

  toOnnx: (node, inputs, e) => {
    const { transA, transB } = node.attrs;
    const gemm = gemmToOnnx(node, inputs, e);
    if (gemm !== undefined) return gemm;
    const a = swapped(inputs[0]!, node.inputs[0]!, transA, e);
    const b = swapped(inputs[1]!, node.inputs[1]!, transB, e);
    const sums = e.one('MatMul', [a, b]);
    return epilogueToOnnx(node, 2, sums, dtypeOf(node.inputs[0]!), inputs, e);
  },
});

/** A product of two matrices whose transposed operands, or whose bias, the operator takes as they are. */
function gemmToOnnx(node: Node<MatmulAttrs>, inputs: readonly string[], e: OnnxEmitter): string | undefined {
  const { transA, transB, epilogue } = node.attrs;
  const type = dtypeOf(node.inputs[0]!);
  const first = epilogue && addedFirst(epilogue);
  if (!isFloat(type) || node.inputs.slice(0, 2).some((v) => shapeOf(v).length !== 2)) return undefined;
  if (!transA && !transB && !first) return undefined;
  const sums = e.one('Gemm', [inputs[0], inputs[1], first && inputs[first.operand + 1]], {
    transA: int(transA),
    transB: int(transB),
  });
  return epilogueToOnnx(node, 2, sums, type, inputs, e, first?.rest);
}

const swapped = (name: string, v: Value, swap: boolean, e: OnnxEmitter): string => {
  if (!swap) return name;
  const rank = shapeOf(v).length;
  const perm = shapeOf(v).map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  return e.one('Transpose', [name], { perm: ints(perm) });
};

/** Rows, columns and the contracted extent of a product. */
export function productExtents(
  a: Shape,
  b: Shape,
  attrs: Pick<MatmulAttrs, 'transA' | 'transB'>,
): { readonly m: Dim; readonly n: Dim; readonly k: Dim } {
  const [a0, a1] = a.slice(-2);
  const [b0, b1] = b.slice(-2);
  return {
    m: attrs.transA ? a1! : a0!,
    k: attrs.transA ? a0! : a1!,
    n: attrs.transB ? b0! : b1!,
  };
}

/** One extent is summed over, and the axes in front broadcast. */
export const productRequires = (
  a: Shape,
  b: Shape,
  attrs: Pick<MatmulAttrs, 'transA' | 'transB'>,
  out: Shape,
): readonly Requirement[] => [
  equal(productExtents(a, b, attrs).k, b.at(attrs.transB ? -1 : -2)!, 'the matrices do not fit one another'),
  ...broadcasts([a.slice(0, -2), b.slice(0, -2)], out.slice(0, -2)),
];

function productShape(a: Shape, b: Shape, attrs: MatmulAttrs): Shape {
  if (a.length < 2 || b.length < 2)
    throw new CompileError('bad-shape', 'matmul takes tensors of at least two axes');
  const { m, n, k } = productExtents(a, b, attrs);
  const other = b.at(attrs.transB ? -1 : -2)!;
  if (typeof k === 'number' && typeof other === 'number' && k !== other)
    throw new CompileError('bad-shape', `a product over ${show(k)} and ${show(other)} elements`);
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  if (!batch) throw new CompileError('bad-broadcast', 'the batch axes of a product do not broadcast');
  return [...batch, m, n];
}

/** A NumPy product: a vector is a row on the left and a column on the right, and its axis goes away. */
export function matMul(n: SourceNode, b: Build): Value {
  return numpyProduct(n.input(0), n.input(1), b);
}

export function numpyProduct(x: Value, y: Value, b: Build): Value {
  const left = shapeOf(x);
  const right = shapeOf(y);
  if (left.length === 0 || right.length === 0)
    throw new CompileError('bad-shape', 'a product takes no scalars');
  const rows = left.length === 1 ? b(reshape, [x], { shape: [1, left[0]!] }) : x;
  const columns = right.length === 1 ? b(reshape, [y], { shape: [right[0]!, 1] }) : y;
  const out = b(matmul, [rows, columns], { transA: false, transB: false });
  if (left.length > 1 && right.length > 1) return out;
  const shape = shapeOf(out);
  const kept = [
    ...shape.slice(0, -2),
    ...(left.length > 1 ? [shape.at(-2)!] : []),
    ...(right.length > 1 ? [shape.at(-1)!] : []),
  ];
  return b(reshape, [out], { shape: kept });
}

const factor = (value: number, t: DType): Expr =>
  konst(/64$/.test(t) && isInteger(t) ? BigInt(value) : value, t);

/** alpha * A B + beta * C. Up to version 6 an attribute says whether C broadcasts; the shapes say it too. */
export function convertGemm(n: SourceNode, b: Build): Value {
  const a = n.input(0);
  const c = n.optional(2);
  const t = dtypeOf(a);
  const alpha = n.float('alpha', 1);
  const beta = n.float('beta', 1);
  if (isInteger(t) && !(Number.isInteger(alpha) && Number.isInteger(beta)))
    n.decline('a product of integers is scaled by a fraction');
  const attrs = { transA: n.int('transA', 0) !== 0, transB: n.int('transB', 0) !== 0 };
  const scaled = alpha === 1 ? arg(0) : call('mul', arg(0), factor(alpha, t));
  const inputs = [a, n.input(1)];
  if (c === undefined || beta === 0)
    return b(matmul, inputs, { ...attrs, epilogue: alpha === 1 ? undefined : scaled });
  const added = beta === 1 ? arg(1) : call('mul', arg(1), factor(beta, t));
  const epilogue = call('add', scaled, added);
  const out = productShape(shapeOf(a), shapeOf(n.input(1)), attrs);
  return withOperand(b, c, epilogue, out, (extras, e) =>
    b(matmul, [...inputs, ...extras], { ...attrs, epilogue: e }),
  );
}
