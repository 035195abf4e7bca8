import type { Dim, Shape } from '../ir/dim.js';
import { type Attrs, emit, type Graph, type Node, type Op, type Origin, type Value } from '../ir/graph.js';
import type { Literal } from '../ir/literal.js';
import type { DType, TensorType, ValueType } from '../ir/type.js';
import { CompileError } from '../support/diagnostic.js';
import type { Content } from './content.js';
import type { OnnxEmitter } from './onnx-emitter.js';

/** Makes a node from the operator being converted and gives its first result, or all of them. */
export interface Build {
  <A extends Attrs>(op: Op<A>, inputs: readonly Value[], attrs: A): Value;
  all<A extends Attrs>(op: Op<A>, inputs: readonly Value[], attrs: A): readonly Value[];
}

export function builder(origin: Origin): Build {
  const all = <A extends Attrs>(op: Op<A>, inputs: readonly Value[], attrs: A) =>
    emit(op, inputs, attrs, origin).outputs;
  const one = <A extends Attrs>(op: Op<A>, inputs: readonly Value[], attrs: A) => all(op, inputs, attrs)[0]!;
  return Object.assign(one, { all });
}

/** A node as any importer presents it: names resolved, attributes readable, format forgotten. */
export interface SourceNode {
  readonly origin: Origin;
  readonly opType: string;
  /** Version of the operator set the node is written in. */
  readonly opset: number;
  /** Number of inputs written, absent ones in the middle counted. */
  readonly inputCount: number;
  /** Number of results written, unused ones in the middle counted. */
  readonly outputCount: number;
  /** Whether somebody named result i. */
  wants(i: number): boolean;
  /** Input i; a CompileError when it is missing. */
  input(i: number): Value;
  optional(i: number): Value | undefined;
  has(attr: string): boolean;
  int(attr: string, fallback?: number): number;
  float(attr: string, fallback?: number): number;
  string(attr: string, fallback?: string): string;
  ints(attr: string, fallback?: readonly number[]): readonly number[];
  floats(attr: string, fallback?: readonly number[]): readonly number[];
  strings(attr: string, fallback?: readonly string[]): readonly string[];
  tensor(attr: string): Literal | undefined;
  /** Declared type of result i, when the model declares one. */
  declared(i: number): ValueType | undefined;
  /** The body of a control-flow operator, with the outer values it captures. */
  body(attr: string): { readonly graph: Graph; readonly captured: readonly Value[] };
  /** What is known of a value's elements while importing. */
  content(v: Value): Content | undefined;
  /**
   * The elements of an integer tensor of known, small size as dims. What is not known while importing
   * becomes a symbol bound at run time. Declines when the number of elements is unknown.
   */
  dims(v: Value): readonly Dim[];
  /** `dims` when every element is a number; undefined otherwise. */
  numbers(v: Value | undefined): readonly number[] | undefined;
  /** A fresh symbol bound at run time to an element of an integer tensor, for data-dependent shapes. */
  bind(v: Value, element: number, hint: string, max?: Dim): Dim;
  /** Ends the conversion: the node stays foreign and runs on onnxruntime, with this reason. */
  decline(reason: string): never;
}

/** Thrown by `decline`. */
export class Declined extends CompileError {
  constructor(reason: string) {
    super('declined', reason);
  }
}

export type Converter = (n: SourceNode, b: Build) => Value | readonly Value[];

/** Op type, then the converter for each opset in which its meaning changed. A key may carry a domain: `com.microsoft::Gelu`. */
export type OnnxMap = Readonly<Record<string, Readonly<Record<number, Converter>>>>;

export interface OpDef<A extends Attrs = Attrs> extends Op<A> {
  readonly onnx: OnnxMap;
  /** The results' elements when those of the inputs are known; used while importing. */
  evaluate?(
    inputs: readonly (Content | undefined)[],
    attrs: A,
    types: readonly TensorType[],
  ): Content | undefined;
  /** Writes the node with ONNX operators; gives the names of its results. */
  toOnnx(node: Node<A>, inputs: readonly string[], e: OnnxEmitter): string | readonly string[];
}

export function defineOp<A extends Attrs>(def: {
  readonly name: string;
  infer(inputs: readonly TensorType[], attrs: A): ValueType | readonly ValueType[];
  readonly takesOpaque?: boolean;
  requires?: OpDef<A>['requires'];
  evaluate?: OpDef<A>['evaluate'];
  readonly onnx?: OnnxMap;
  toOnnx: OpDef<A>['toOnnx'];
}): OpDef<A> {
  return Object.freeze({
    ...def,
    onnx: def.onnx ?? {},
    infer: (inputs: readonly TensorType[], attrs: A) => [def.infer(inputs, attrs)].flat() as ValueType[],
  }) as OpDef<A>;
}

/** An axis counted from the front. Throws `bad-axis` when it is outside [-rank, rank). */
export function axisOf(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new CompileError(
      'bad-axis',
      `axis ${axis} is outside a tensor of rank ${rank}`,
      `use a value from ${-rank} to ${rank - 1}`,
    );
  return axis < 0 ? axis + rank : axis;
}

export const axesOf = (axes: readonly number[], rank: number): readonly number[] =>
  axes.map((a) => axisOf(a, rank)).sort((a, b) => a - b);

/** Shape with the given axes replaced by 1 (keepdims) or removed. */
export const reducedShape = (shape: Shape, axes: readonly number[], keepdims: boolean): Shape =>
  keepdims ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));

/** The newest converter not after the model's opset. */
export function converterIn(
  versions: Readonly<Record<number, Converter>>,
  opset: number,
): Converter | undefined {
  let best: number | undefined;
  for (const v of Object.keys(versions).map(Number))
    if (v <= opset && (best === undefined || v > best)) best = v;
  return best === undefined ? undefined : versions[best];
}

export const sameDtype = (what: string, types: readonly TensorType[]): DType => {
  const [first] = types;
  for (const t of types)
    if (t.dtype !== first!.dtype)
      throw new CompileError(
        'type-mismatch',
        `${what} takes inputs of one type, not ${first!.dtype} and ${t.dtype}`,
      );
  return first!.dtype;
};
