import type { Origin } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import type { DType, ValueType } from '../../src/ir/type.js';
import { makeOpset } from '../../src/onnx/make.js';
import type { OperatorSetId, Tensor } from '../../src/onnx/types.js';
import { tensorOfLiteral } from './literals.js';

export interface ExternalData {
  readonly location: string;
  /** Stores the bytes of a constant and tells where. */
  add(value: Literal): { readonly offset: number; readonly length: number };
}

// Smaller constants stay in the model: shapes and the like, which loaders want to see.
const smallestExternal = 1024;

/** Operators and element types with the operator set that brought them. */
const newOperators: Readonly<Record<string, number>> = {
  BitwiseAnd: 18,
  BitwiseNot: 18,
  BitwiseOr: 18,
  BitwiseXor: 18,
  CenterCropPad: 18,
  Col2Im: 18,
  DeformConv: 19,
  AffineGrid: 20,
  Gelu: 20,
  ImageDecoder: 20,
  RegexFullMatch: 20,
  StringConcat: 20,
  StringSplit: 20,
  GroupNormalization: 21,
  Attention: 23,
  RMSNormalization: 23,
  RotaryEmbedding: 23,
  Swish: 24,
  TensorScatter: 24,
  BitCast: 26,
  CumProd: 26,
};
const newTypes: Partial<Record<DType, number>> = {
  f8e4m3fn: 19,
  f8e4m3fnuz: 19,
  f8e5m2: 19,
  f8e5m2fnuz: 19,
  i4: 21,
  u4: 21,
  f4e2m1: 23,
  f8e8m0: 24,
  i2: 25,
  u2: 25,
};

/** Something of a graph that the operator set being written has no words for. */
export interface Lack {
  /** The first operator set that has it; infinite when none does. */
  readonly opset: number;
  readonly what: string;
  /** Where in the model. */
  readonly origin: Origin | undefined;
}

/** What the graphs of one model share: names, constants, operator sets. */
export class ModelWriter {
  readonly #initializers: Tensor[] = [];
  readonly #literals = new Map<string, Literal>();
  readonly #hints = new Map<string, string>();
  readonly #read = new Set<string>();
  readonly #lacks = new Map<string, Lack>();
  readonly #values = new Set<string>(['']);
  readonly #nodes = new Set<string>();
  readonly #domains = new Map<string, number>();
  readonly #byLiteral = new Map<Literal, string>();
  #needed = 0;
  readonly #byContent = new Map<string, string>();

  constructor(
    readonly opset: number,
    private readonly external: ExternalData | undefined,
  ) {}

  /** The oldest operator set that has what was written. */
  get needed(): number {
    return this.#needed;
  }

  needs(opset: number, what: string, origin?: Origin): void {
    if (Number.isFinite(opset)) this.#needed = Math.max(this.#needed, opset);
    if (opset > this.opset)
      this.#lacks.set(`${what}/${origin?.path}/${origin?.name}`, { opset, what, origin });
  }

  /** What the operator set lacks, each thing once for each place. */
  get lacks(): readonly Lack[] {
    return [...this.#lacks.values()];
  }

  use(opType: string, types: readonly ValueType[], origin?: Origin): void {
    const since = newOperators[opType];
    if (since !== undefined) this.needs(since, opType, origin);
    for (const t of types) if (t.kind === 'tensor') this.useType(t.dtype, origin);
  }

  useType(dtype: DType, origin?: Origin): void {
    const since = newTypes[dtype];
    if (since !== undefined) this.needs(since, `elements of type ${dtype}`, origin);
  }

  read(name: string): void {
    this.#read.add(name);
  }

  constantNamed(name: string): Literal | undefined {
    return this.#literals.get(name);
  }

  reserve(name: string): void {
    this.#values.add(name);
  }

  unique(hint: string): string {
    return distinct(hint, this.#values);
  }

  uniqueNode(hint: string): string {
    return distinct(hint, this.#nodes);
  }

  useDomain(domain: string, version: number): void {
    if (domain !== '') this.#domains.set(domain, Math.max(version, this.#domains.get(domain) ?? 0));
  }

  /** The constants that something reads: an operator may have written one in another form. */
  get initializers(): readonly Tensor[] {
    const names = this.regainedNames();
    return this.#initializers
      .filter((t) => this.#read.has(t.name))
      .map((t) => ({ ...t, name: names.get(t.name) ?? t.name }));
  }

  /** Constants get the names they were meant to have from those that nothing reads. */
  regainedNames(): ReadonlyMap<string, string> {
    const free = new Set(this.#initializers.map((t) => t.name).filter((name) => !this.#read.has(name)));
    const names = new Map<string, string>();
    for (const { name } of this.#initializers) {
      const hint = this.#hints.get(name)!;
      if (this.#read.has(name) && free.delete(hint)) names.set(name, hint);
    }
    return names;
  }

  get opsets(): readonly OperatorSetId[] {
    const others = [...this.#domains].sort(([a], [b]) => (a < b ? -1 : 1));
    return [makeOpset('', this.opset), ...others.map(([domain, version]) => makeOpset(domain, version))];
  }

  /** The name of a constant. Equal small ones are written once. */
  initializer(value: Literal, hint: string, origin?: Origin): string {
    this.useType(value.dtype, origin);
    const same = this.#byLiteral.get(value);
    if (same !== undefined) return same;
    const key = value.byteLength <= smallestExternal ? value.key : undefined;
    let name = key === undefined ? undefined : this.#byContent.get(key);
    if (name === undefined) {
      name = this.unique(hint);
      this.#initializers.push(this.#tensor(name, value));
      this.#literals.set(name, value);
      this.#hints.set(name, hint);
      if (key !== undefined) this.#byContent.set(key, name);
    }
    this.#byLiteral.set(value, name);
    return name;
  }

  #tensor(name: string, value: Literal): Tensor {
    const { external } = this;
    if (!external || value.dtype === 'string' || value.byteLength < smallestExternal)
      return tensorOfLiteral(name, value);
    return tensorOfLiteral(name, value, { location: external.location, ...external.add(value) });
  }
}

function distinct(hint: string, taken: Set<string>): string {
  let name = hint;
  for (let i = 1; taken.has(name); i++) name = `${hint}_${i}`;
  taken.add(name);
  return name;
}
