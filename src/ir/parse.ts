import { CompileError } from '../support/diagnostic.js';
import {
  type AttrValue,
  type Binding,
  emit,
  type Graph,
  graph,
  inputValue,
  type Op,
  type Origin,
  type Value,
} from './graph.js';
import { Literal, literal, literalOf } from './literal.js';
import { Scanner } from './scanner.js';
import { bitsOf, bytesOf, type DType, showType, type TensorType, type ValueType } from './type.js';

export interface ParseOptions {
  readonly operators: readonly Op[];
  /** The constant with this key: printed IR shows only the key of large ones. */
  readonly literal?: ((key: string) => Literal | undefined) | undefined;
}

/** A large constant of which only the identity is known. */
class UnknownLiteral extends Literal {
  readonly #key: string;

  constructor(type: TensorType, key: string) {
    const absent = {
      byteLength: bytesOf(
        type.dtype,
        (type.shape as readonly number[]).reduce((a, b) => a * b, 1),
      ),
      read: (): never => {
        throw new CompileError(
          'unknown-literal',
          `the text does not have the elements of ${showType(type)} #${key}`,
        );
      },
    };
    super(type.dtype, type.shape as readonly number[], absent);
    this.#key = key;
  }

  override get key(): string {
    return this.#key;
  }
}

/** Reads a graph from the text that `print` makes of it. Results get default names. */
export function parse(text: string, options: ParseOptions): Graph {
  const parser = new Parser(
    new Scanner(text),
    new Map(options.operators.map((op) => [op.name, op])),
    options,
  );
  const g = parser.graph();
  parser.scan.need(/$/, 'the end');
  return g;
}

class Parser {
  constructor(
    readonly scan: Scanner,
    private readonly ops: ReadonlyMap<string, Op>,
    private readonly options: ParseOptions,
  ) {}

  graph(): Graph {
    const { scan } = this;
    const values = new Map<string, Value>();
    const bindings = new Map<string, Binding>();
    const inputs: Value[] = [];
    const use = (): Value => {
      const name = scan.need(/%\d+/, 'a value');
      return values.get(name) ?? scan.fail(`a value before ${name}, which is not defined yet`);
    };
    for (;;) {
      if (scan.take(/return\b/) !== undefined) {
        const outputs = scan.sees(/%/) ? this.#sequence(use) : [];
        return graph(inputs, outputs, undefined, bindings);
      }
      if (scan.take(/dim\b/) !== undefined) {
        const name = scan.name();
        scan.need(/in\b/, '"in"');
        const min = scan.number();
        scan.need(/\.\./, '".."');
        scan.range(name, min, scan.number());
      } else if (scan.take(/bind\b/) !== undefined) {
        const name = scan.name();
        scan.need(/=/, '"="');
        const value = use();
        scan.need(/\[/, '"["');
        bindings.set(name, { value, element: scan.number() });
        scan.need(/\]/, '"]"');
      } else this.#node(values, inputs, use);
    }
  }

  #sequence<T>(item: () => T): readonly T[] {
    const items = [item()];
    while (this.scan.take(/,/) !== undefined) items.push(item());
    return items;
  }

  #node(values: Map<string, Value>, inputs: Value[], use: () => Value): void {
    const { scan } = this;
    const results = this.#sequence(() => scan.need(/%\d+/, 'a node, "bind", "dim" or "return"'));
    scan.need(/=/, '"="');
    const name = scan.name('an operator');
    scan.need(/\(/, '"("');
    let outputs: readonly Value[];
    if (name === 'input') {
      const given = this.#string();
      scan.need(/\)\s*:/, '") :"');
      const v = inputValue(given, scan.type());
      inputs.push(v);
      outputs = [v];
    } else {
      const op = this.ops.get(name) ?? scan.fail(`a known operator instead of ${name}`);
      const operands: Value[] = [];
      const attrs: Record<string, AttrValue> = {};
      scan.list(/\)/, () => {
        if (scan.sees(/%/)) operands.push(use());
        else {
          const key = scan.name('a value or an attribute');
          scan.need(/=/, '"="');
          attrs[key] = this.#attr();
        }
      });
      scan.need(/:/, '":"');
      const types = this.#sequence(() => scan.type());
      const origin: Origin = { format: 'pass', name: results.join(',') };
      outputs = emit(op, operands, attrs, origin).outputs;
      this.#expectTypes(name, outputs, types);
    }
    if (outputs.length !== results.length) scan.fail(`${outputs.length} results of ${name}`);
    results.forEach((r, i) => {
      values.set(r, outputs[i]!);
    });
  }

  #expectTypes(op: string, outputs: readonly Value[], types: readonly ValueType[]): void {
    const inferred = outputs.map((v) => showType(v.type)).join(', ');
    const written = types.map(showType).join(', ');
    if (inferred !== written) this.scan.fail(`${inferred} after ${op} instead of ${written}`);
  }

  #string(): string {
    return JSON.parse(this.scan.need(/"(?:[^"\\]|\\.)*"/, 'a string')) as string;
  }

  #attr(): AttrValue {
    const { scan } = this;
    if (scan.sees(/"/)) return this.#string();
    if (scan.take(/\[/) !== undefined) return scan.list(/\]/, () => this.#attr());
    if (scan.sees(/\{/)) return this.#braced();
    const word = scan.take(/(true|false|none)\b/);
    if (word !== undefined) return word === 'none' ? undefined : word === 'true';
    const big = scan.take(/-?\d+n/);
    if (big !== undefined) return BigInt(big.slice(0, -1));
    if (scan.sees(/-?Infinity|NaN|-?\d[\d.e+-]*(?![\w*+.])/) && !scan.sees(/-?\d+[*+]/)) return scan.number();
    if (scan.sees(/\w+\[|opaque</)) return this.#typeOrLiteral();
    return scan.dim();
  }

  #braced(): AttrValue {
    const { scan } = this;
    if (scan.sees(/\{\n/)) {
      scan.need(/\{/, '"{"');
      const g = this.graph();
      scan.need(/\}/, '"}"');
      return g;
    }
    scan.need(/\{/, '"{"');
    if (scan.sees(/\w+: |\}/)) {
      const fields = scan.list(/\}/, (): [string, AttrValue] => {
        const key = scan.need(/\w+/, 'a field');
        scan.need(/:/, '":"');
        return [key, this.#attr()];
      });
      return Object.fromEntries(fields);
    }
    const e = scan.expr();
    scan.need(/\}/, '"}"');
    return e;
  }

  #typeOrLiteral(): ValueType | Literal {
    const { scan } = this;
    const type = scan.type();
    if (type.kind === 'opaque') return type;
    const key = scan.take(/#[0-9a-f]+/)?.slice(1);
    if (key !== undefined) return this.options.literal?.(key) ?? new UnknownLiteral(type, key);
    if (scan.take(/\{/) === undefined) return type;
    const integer = /^(i|u|bool)/.test(type.dtype);
    const values = scan.list(/\}/, () =>
      integer ? BigInt(scan.need(/-?\d+/, 'an integer')) : scan.number(),
    );
    return literalFrom(type.dtype, type.shape as readonly number[], values);
  }
}

function literalFrom(dtype: DType, shape: readonly number[], values: readonly (number | bigint)[]): Literal {
  const bits = bitsOf[dtype];
  if (bits >= 8) return literalOf(dtype, shape, values);
  const bytes = new Uint8Array(bytesOf(dtype, values.length));
  values.forEach((v, i) => {
    const bit = i * bits;
    bytes[bit >> 3]! |= (Number(v) & ((1 << bits) - 1)) << (bit & 7);
  });
  return literal(dtype, shape, bytes);
}
