import { bounds, type Dim, isStatic } from '../../src/ir/dim.js';
import type { Graph, Origin, Value } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { tensor, type ValueType } from '../../src/ir/type.js';
import type { Attribute, Node } from '../../src/onnx/types.js';
import type { Content } from '../../src/ops/content.js';
import { Declined, type SourceNode } from '../../src/ops/op.js';
import { CompileError } from '../../src/support/diagnostic.js';
import {
  type AttributeKind,
  type Attributes,
  attributeOf,
  missingAttribute,
  textOfBytes,
} from './attributes.js';
import type { Context } from './context.js';
import { openTypeOf } from './declared.js';
import { literalOfTensor } from './literals.js';
import type { Scope } from './scope.js';

/** An ONNX node as converters see it. */
export class OnnxSourceNode implements SourceNode {
  readonly opType: string;
  readonly inputCount: number;
  readonly outputCount: number;

  constructor(
    private readonly ctx: Context,
    private readonly scope: Scope,
    private readonly node: Node,
    private readonly inputs: readonly (Value | undefined)[],
    readonly attributes: Attributes,
    readonly opset: number,
    readonly origin: Origin,
    private readonly bodyOf: (attr: string) => { readonly graph: Graph; readonly captured: readonly Value[] },
  ) {
    this.opType = node.opType;
    this.inputCount = node.input.length;
    this.outputCount = node.output.length;
  }

  wants(i: number): boolean {
    return (this.node.output[i] ?? '') !== '';
  }

  input(i: number): Value {
    const v = this.inputs[i];
    if (v) return v;
    throw new CompileError('missing-input', `input ${i} is missing`);
  }

  optional(i: number): Value | undefined {
    return this.inputs[i];
  }

  has(attr: string): boolean {
    return this.attributes.has(attr);
  }

  int(attr: string, fallback?: number): number {
    return this.#read(attr, 'int', (a) => Number(a.i ?? 0n), fallback);
  }

  float(attr: string, fallback?: number): number {
    return this.#read(attr, 'float', (a) => a.f ?? 0, fallback);
  }

  string(attr: string, fallback?: string): string {
    return this.#read(attr, 'string', (a) => this.#text(attr, a.s ?? new Uint8Array()), fallback);
  }

  ints(attr: string, fallback?: readonly number[]): readonly number[] {
    return this.#read(attr, 'ints', (a) => a.ints.map(Number), fallback);
  }

  floats(attr: string, fallback?: readonly number[]): readonly number[] {
    return this.#read(attr, 'floats', (a) => a.floats, fallback);
  }

  strings(attr: string, fallback?: readonly string[]): readonly string[] {
    return this.#read(attr, 'strings', (a) => a.strings.map((s) => this.#text(attr, s)), fallback);
  }

  tensor(attr: string): Literal | undefined {
    const a = attributeOf(this.attributes, attr, 'tensor');
    return a?.t && literalOfTensor(a.t, this.ctx.baseDir);
  }

  declared(i: number): ValueType | undefined {
    const open = openTypeOf(this.scope.declared.get(this.node.output[i] ?? ''), this.ctx);
    if (open === undefined || open.kind === 'opaque') return open;
    const dims = open.dims.filter((d) => d !== undefined);
    return dims.length === open.dims.length ? tensor(open.dtype, dims) : undefined;
  }

  body(attr: string): { readonly graph: Graph; readonly captured: readonly Value[] } {
    return this.bodyOf(attr);
  }

  content(v: Value): Content | undefined {
    return this.ctx.content(v);
  }

  dims(v: Value): readonly Dim[] {
    return this.ctx.elements(v, this.#nameOf(v), this.scope.region);
  }

  numbers(v: Value | undefined): readonly number[] | undefined {
    if (!v) return undefined;
    const known = this.ctx.known(v);
    return known && isStatic(known) ? known : undefined;
  }

  bind(v: Value, element: number, hint: string, max?: Dim): Dim {
    const limit = max === undefined ? Number.POSITIVE_INFINITY : bounds(max)[1];
    return this.ctx.bind(v, element, hint, this.scope.region, 0, limit);
  }

  decline(reason: string): never {
    throw new Declined(reason);
  }

  #nameOf(v: Value): string {
    const at = this.inputs.indexOf(v);
    return this.node.input[at] ?? v.node.origin.name;
  }

  #read<T>(attr: string, kind: AttributeKind, get: (a: Attribute) => T, fallback: T | undefined): T {
    const a = attributeOf(this.attributes, attr, kind);
    if (a) return get(a);
    if (fallback === undefined) throw missingAttribute(this.attributes, attr);
    return fallback;
  }

  #text(attr: string, bytes: Uint8Array): string {
    return textOfBytes(bytes) ?? this.decline(`the text of attribute "${attr}" is not UTF-8`);
  }
}
