import type { Dim, Shape } from '../ir/dim.js';
import type { Graph, Node } from '../ir/graph.js';
import type { Literal } from '../ir/literal.js';
import type { DType } from '../ir/type.js';
import type { ForeignAttrs } from './foreign.js';

/** An ONNX attribute in plain values; a number is a float when wrapped by `onnxFloat`. */
export type OnnxAttr =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Literal }
  | { readonly kind: 'dtype'; readonly value: DType }
  | { readonly kind: 'graph'; readonly value: Graph; readonly captured: readonly string[] };
export type OnnxAttrs = Readonly<Record<string, OnnxAttr | undefined>>;

export const int = (value: number | boolean): OnnxAttr => ({ kind: 'int', value: Number(value) });
export const float = (value: number): OnnxAttr => ({ kind: 'float', value });
export const dtype = (value: DType): OnnxAttr => ({ kind: 'dtype', value });
export const text = (value: string): OnnxAttr => ({ kind: 'string', value });
export const ints = (value: readonly number[]): OnnxAttr => ({ kind: 'ints', value });
export const floats = (value: readonly number[]): OnnxAttr => ({ kind: 'floats', value });

/**
 * Where operators write themselves as ONNX. Nodes are given in the form they have had since opset 21 or later; where
 * `opset` is older, they are written in the form of that time.
 */
export interface OnnxEmitter {
  /** The operator set that is written. */
  readonly opset: number;
  /** What is being written exists from an operator set on. Below it, that is an error, told for the whole model at once. */
  needs(opset: number, what: string): void;
  /** Adds a node and gives the names of its results. An absent input is undefined. */
  node(
    opType: string,
    inputs: readonly (string | undefined)[],
    attrs?: OnnxAttrs,
    outputs?: number,
    domain?: string,
    version?: number,
  ): readonly string[];
  /** Adds a node with one result and gives its name. */
  one(opType: string, inputs: readonly (string | undefined)[], attrs?: OnnxAttrs): string;
  /** A constant, under the name of a node of the model where that is given. */
  literal(value: Literal, name?: string): string;
  /** A constant from plain numbers. */
  constant(dtype: DType, shape: readonly number[], values: readonly (number | bigint)[]): string;
  /** A 1-D int64 tensor of dims: a constant, or computed from shapes when the model runs. */
  dims(shape: Shape): string;
  /** A scalar int64 dim. */
  dim(d: Dim): string;
  /** Writes a node back as the model had it. */
  foreign(node: Node<ForeignAttrs>, inputs: readonly string[]): readonly string[];
}
