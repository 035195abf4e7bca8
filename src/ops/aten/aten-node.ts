import type { Dim, Shape } from '../../ir/dim.js';
import type { Origin, Value } from '../../ir/graph.js';
import type { DType, TensorType } from '../../ir/type.js';
import type { Content } from '../content.js';
import type { Build } from '../op.js';

/** A node of an exported program: its arguments go by the names of the ATen schema; those not given are absent. */
export interface AtenNode {
  readonly origin: Origin;
  /** The overload, such as `add.Tensor`. */
  readonly target: string;
  readonly outputCount: number;
  /** Whether something reads result i. */
  wants(i: number): boolean;
  /** Whether an argument was given and is not None. */
  has(name: string): boolean;
  tensor(name: string): Value;
  optional(name: string): Value | undefined;
  tensors(name: string): readonly Value[];
  /** A list in which tensors may be missing. */
  optionalTensors(name: string): readonly (Value | undefined)[];
  int(name: string, fallback?: number): number;
  ints(name: string, fallback?: readonly number[]): readonly number[];
  /** A whole number that may be a size. */
  dim(name: string, fallback?: Dim): Dim;
  dims(name: string, fallback?: Shape): Shape;
  /** A number of any kind; whole ones beyond 2^53 are exact. */
  number(name: string, fallback?: number): number | bigint;
  numbers(name: string, fallback?: readonly number[]): readonly number[];
  flag(name: string, fallback?: boolean): boolean;
  text(name: string, fallback?: string): string;
  dtype(name: string): DType | undefined;
  /** What a Python number in the place of a tensor is: undefined for a tensor. */
  scalarKind(name: string): 'bool' | 'int' | 'float' | undefined;
  /** The type the program declares for tensor result i. */
  result(i?: number): TensorType;
  content(v: Value): Content | undefined;
  /** The symbol of an extent that only the run knows comes from an element of an integer tensor. */
  bind(extent: Dim, v: Value, element: number): void;
  /** Ends the import: no converter can express this form. */
  refuse(reason: string): never;
}

export type AtenConverter = (n: AtenNode, b: Build) => Value | readonly Value[];

/** Overloads by name, such as `softmax.int`; `default` is left out. */
export type AtenMap = Readonly<Record<string, AtenConverter>>;
