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

/** Operators and element types that came after opset 21, with the operator set that brought them. */
const newOperators: Readonly<Record<string, number>> = {
  Attention: 23,
  RMSNormalization: 23,
  RotaryEmbedding: 23,
  Swish: 24,
  TensorScatter: 24,
  BitCast: 26,
  CumProd: 26,
};
const newTypes: Partial<Record<DType, number>> = { f4e2m1: 23, f8e8m0: 24, i2: 25, u2: 25 };

/** What the graphs of one model share: names, constants, operator sets. */
export class ModelWriter {
  readonly initializers: Tensor[] = [];
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

  use(opType: string, types: readonly ValueType[]): void {
    this.#needed = Math.max(this.#needed, newOperators[opType] ?? 0);
    for (const t of types) if (t.kind === 'tensor') this.useType(t.dtype);
  }

  useType(dtype: DType): void {
    this.#needed = Math.max(this.#needed, newTypes[dtype] ?? 0);
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

  get opsets(): readonly OperatorSetId[] {
    const others = [...this.#domains].sort(([a], [b]) => (a < b ? -1 : 1));
    return [makeOpset('', this.opset), ...others.map(([domain, version]) => makeOpset(domain, version))];
  }

  /** The name of a constant. Equal small ones are written once. */
  initializer(value: Literal, hint: string): string {
    this.useType(value.dtype);
    const same = this.#byLiteral.get(value);
    if (same !== undefined) return same;
    const key = value.byteLength <= smallestExternal ? value.key : undefined;
    let name = key === undefined ? undefined : this.#byContent.get(key);
    if (name === undefined) {
      name = this.unique(hint);
      this.initializers.push(this.#tensor(name, value));
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
