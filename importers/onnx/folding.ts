import { type Dim, isStatic } from '../../src/ir/dim.js';
import { emit, is, type Node, type Origin, type Value } from '../../src/ir/graph.js';
import { type Literal, literalOf } from '../../src/ir/literal.js';
import { isInteger, showType, tensor } from '../../src/ir/type.js';
import { constant, dims } from '../../src/ops/constant.js';
import { type Content, contentShape } from '../../src/ops/content.js';
import type { OpDef } from '../../src/ops/op.js';
import { reshape } from '../../src/ops/reshape.js';
import { CompileError } from '../../src/support/diagnostic.js';

export const constantValue = (value: Literal, origin: Origin): Value =>
  emit(constant, [], { value }, origin).outputs[0]!;

/**
 * What stands for a node whose elements are known: a constant, dims, or the elements alone where there is no
 * constant of the type.
 */
export function folded(
  node: Node,
  contentOf: (v: Value) => Content | undefined,
): Value | Content | undefined {
  const { op, inputs, outputs, origin } = node;
  const [out] = outputs;
  if (outputs.length !== 1 || out!.type.kind !== 'tensor' || is(node, constant) || is(node, dims))
    return undefined;
  const { dtype, shape } = out!.type;
  if (is(node, reshape) && is(inputs[0]!.node, constant) && isStatic(shape))
    return constantValue(inputs[0]!.node.attrs.value.reshaped(shape), inputs[0]!.node.origin);
  const { evaluate } = op as unknown as OpDef;
  if (!evaluate || !contentShape(shape)) return undefined;
  const known = inputs.map((v) => contentOf(v));
  if (known.length > 0 && known.every((c) => c === undefined)) return undefined;
  const result = evaluate(known, node.attrs, [tensor(dtype, shape)]);
  if (!result) return undefined;
  if (!isStatic(result.data)) {
    if (!isInteger(dtype) && dtype !== 'bool') return undefined;
    return emit(dims, [], { dims: result.data, dtype, shape: result.shape }, origin).outputs[0]!;
  }
  if (/^(i|u)[24]$/.test(dtype)) return result;
  return constantValue(literalOf(dtype, result.shape, result.data), origin);
}

/** Arithmetic on the extents of a broken model overflows, or goes below 0. */
export function checkExtents(node: Node): void {
  const isNumber = (d: Dim | undefined): boolean => typeof d === 'object' || Number.isSafeInteger(d);
  for (const { type } of node.outputs)
    if (type.kind === 'tensor' && !type.shape.every((d) => isNumber(d) && (typeof d !== 'number' || d >= 0)))
      throw new CompileError('bad-shape', `a result would have the shape ${showType(type)}`);
  if (is(node, dims) && !node.attrs.dims.every(isNumber))
    throw new CompileError('bad-shape', `an extent would be ${node.attrs.dims.find((d) => !isNumber(d))}`);
}
