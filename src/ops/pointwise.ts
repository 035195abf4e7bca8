import { broadcast } from '../ir/dim.js';
import {
  arg,
  call,
  type Expr,
  constant as konst,
  mapOperands,
  type ScalarFunction,
  typeOfExpr,
} from '../ir/expr.js';
import { dtypeOf, type Node, shapeOf, type Value } from '../ir/graph.js';
import { made, type Pattern, when } from '../ir/rewrite.js';
import { type DType, showType, type TensorType, tensor } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import { activation } from './activation.js';
import { binary } from './binary.js';
import { type Content, forEachIndex, content as makeContent, stridesOf } from './content.js';
import type { ElementwiseConverter } from './elementwise.js';
import { evaluateExpr } from './evaluate-expr.js';
import { type Converter, defineOp, type OpDef } from './op.js';
import { optimizers } from './optimizer.js';
import { exprToOnnx } from './pointwise-to-onnx.js';
import { broadcasts } from './requirements.js';
import { unary } from './unary.js';

/** Also passes on what is no tensor. */
const identity: ElementwiseConverter = (n) => ({ inputs: [n.input(0)], expr: arg(0) });

/** One scalar expression applied to every element of its operands, broadcast against one another. */
export const pointwise: OpDef<{ expr: Expr }> = defineOp({
  name: 'pointwise',

  infer: (inputs, { expr }) => {
    const shape = broadcast(...inputs.map((t) => t.shape));
    if (!shape)
      throw new CompileError('bad-broadcast', `${inputs.map(showType).join(' and ')} do not broadcast`);
    return tensor(
      typeOfExpr(
        expr,
        inputs.map((t) => t.dtype),
      ),
      shape,
    );
  },

  requires: (inputs, _, [out]) =>
    broadcasts(
      inputs.map((t) => t.shape),
      out!.shape,
    ),

  evaluate: (inputs, { expr }, [type]) => {
    const known = inputs.filter((c) => c !== undefined);
    if (known.length !== inputs.length) return undefined;
    return evaluatePointwise(known, expr, type!);
  },

  onnx: Object.fromEntries(
    Object.entries({ ...unary, ...binary, ...activation, ...optimizers, Identity: { 1: identity } }).map(
      ([op, versions]) => [op, mapVersions(versions, convert)],
    ),
  ),

  toOnnx: (node, inputs, e) => {
    const { expr } = node.attrs;
    const result = exprToOnnx(expr, inputs, node.inputs.map(dtypeOf), e);
    // An operand that only lends its shape does not broadcast the result.
    const used = operandsOf(expr);
    return inputs.every((_, i) => used.has(i))
      ? result
      : e.one('Expand', [result, e.dims(shapeOf(node.outputs[0]!))]);
  },
});

function operandsOf(expr: Expr): ReadonlySet<number> {
  const used = new Set<number>();
  mapOperands(expr, (i) => {
    used.add(i);
    return arg(i);
  });
  return used;
}

function mapVersions(
  versions: Readonly<Record<number, ElementwiseConverter>>,
  f: (c: ElementwiseConverter) => Converter,
): Readonly<Record<number, Converter>> {
  return Object.fromEntries(Object.entries(versions).map(([opset, c]) => [opset, f(c)]));
}

function convert(build: ElementwiseConverter): Converter {
  return (n, b) =>
    [build(n, b)]
      .flat()
      .map(({ inputs, expr }) =>
        expr.kind === 'in' && inputs.length === 1 ? inputs[0]! : b(pointwise, inputs, { expr }),
      );
}

function evaluatePointwise(inputs: readonly Content[], expr: Expr, type: TensorType): Content | undefined {
  const shape = type.shape as readonly number[];
  const size = shape.reduce((a, d) => a * d, 1);
  const places = inputs.map((c) => placesIn(c.shape, shape));
  const data: Content['data'][number][] = [];
  for (let flat = 0; flat < size; flat++) {
    const operands = inputs.map((c, i) => ({ dtype: c.dtype, value: c.data[places[i]!(flat)]! }));
    const value = evaluateExpr(expr, operands);
    if (value === undefined) return undefined;
    data.push(value);
  }
  return makeContent(type.dtype, shape, data);
}

/** Where the elements of a tensor of one shape, broadcast to another, lie. */
function placesIn(own: readonly number[], shape: readonly number[]): (flat: number) => number {
  if (own.every((d) => d === 1)) return () => 0;
  if (own.length === shape.length && own.every((d, i) => d === shape[i])) return (flat) => flat;
  const strides = stridesOf(own);
  const places: number[] = [];
  forEachIndex(shape, (index) => {
    const last = index.slice(index.length - own.length);
    places.push(last.reduce((at, x, d) => at + (own[d] === 1 ? 0 : x * strides[d]!), 0));
  });
  return (flat) => places[flat]!;
}

/** A single scalar function of the inputs, in order. */
export const calls = (n: Node, fn: ScalarFunction): boolean => {
  const { expr } = n.attrs as { expr: Expr };
  return (
    expr.kind === 'call' && expr.fn === fn && expr.args.every((a, i) => a.kind === 'in' && a.index === i)
  );
};

/** Pattern: one scalar function applied to sub-patterns, before any fusion. */
export const fn = <const P extends readonly Pattern[]>(name: ScalarFunction, ...inputs: P) =>
  when(made(pointwise, ...inputs), (n) => calls(n, name));

/** Attributes of a pointwise node that is one call of its inputs. */
export const callOf = (name: ScalarFunction, arity: number): { expr: Expr } => ({
  expr: call(name, ...Array.from({ length: arity }, (_, i) => arg(i))),
});

/** A constant of the type of a value, for expressions. */
export const like = (v: Value, x: number): Expr => {
  const t: DType = (v.type as TensorType).dtype;
  return konst(t === 'i64' || t === 'u64' ? BigInt(x) : x, t);
};
