import { type Atom, bareSymbol, bounds, type Dim, type Shape } from '../../src/ir/dim.js';
import type { Graph } from '../../src/ir/graph.js';
import { literalOf } from '../../src/ir/literal.js';
import { dtype, int, type OnnxEmitter } from '../../src/ops/onnx-emitter.js';
import { CompileError } from '../../src/support/diagnostic.js';

/** Writes dims of one graph as ONNX nodes. Every dim is a 1-D tensor of one int64; equal dims are written once. */
export class DimWriter {
  readonly #written = new Map<string, string>();

  constructor(
    private readonly graph: Graph,
    private readonly e: OnnxEmitter,
    private readonly nameOf: (v: Graph['inputs'][number]) => string,
  ) {}

  all(dims: Shape): string {
    if (dims.every((d) => typeof d === 'number')) return this.e.constant('i64', [dims.length], dims);
    const parts: string[] = [];
    let run: number[] = [];
    const flush = (): void => {
      if (run.length > 0) parts.push(this.e.constant('i64', [run.length], run));
      run = [];
    };
    for (const d of dims) {
      if (typeof d === 'number') run.push(d);
      else {
        flush();
        parts.push(this.one(d));
      }
    }
    flush();
    return parts.length === 1 ? parts[0]! : this.e.one('Concat', parts, { axis: int(0) });
  }

  one(d: Dim): string {
    if (typeof d === 'number') return this.e.constant('i64', [1], [d]);
    let name = this.#written.get(d.key);
    if (name === undefined) {
      const terms = d.terms.map(({ coef, atoms }) => {
        const factors = [
          ...(coef === 1 && atoms.length > 0 ? [] : [this.one(coef)]),
          ...atoms.map((a) => this.#atom(a)),
        ];
        return factors.reduce((a, b) => this.e.one('Mul', [a, b]));
      });
      name = terms.reduce((a, b) => this.e.one('Add', [a, b]));
      this.#written.set(d.key, name);
    }
    return name;
  }

  #atom(atom: Atom): string {
    const known = this.#written.get(atom.key);
    if (known !== undefined) return known;
    const name = atom.kind === 'symbol' ? this.#symbol(atom.key) : this.#call(atom);
    this.#written.set(atom.key, name);
    return name;
  }

  #symbol(key: string): string {
    const { e, graph } = this;
    for (const v of graph.inputs) {
      if (v.type.kind === 'opaque') continue;
      const axis = v.type.shape.findIndex((d) => bareSymbol(d) === key);
      if (axis >= 0) return e.one('Shape', [this.nameOf(v)], { start: int(axis), end: int(axis + 1) });
    }
    const bound = graph.bindings.get(key);
    if (!bound) throw new CompileError('unbound-symbol', `nothing tells the value of the symbol ${key}`);
    const type = bound.value.type;
    if (type.kind === 'opaque')
      throw new CompileError('unbound-symbol', `the symbol ${key} comes from ${type.text}`);
    const source = this.nameOf(bound.value);
    const flat = type.shape.length === 1 ? source : e.one('Reshape', [source, e.constant('i64', [1], [-1])]);
    const element = e.one('Gather', [flat, e.constant('i64', [1], [bound.element])]);
    return type.dtype === 'i64' ? element : e.one('Cast', [element], { to: dtype('i64') });
  }

  #call(atom: Atom & { kind: 'call' }): string {
    const { e } = this;
    const args = atom.args.map((d) => this.one(d));
    const [a, b, c] = [args[0]!, args[1]!, args[2]];
    const toInt = (flag: string): string => e.one('Cast', [flag], { to: dtype('i64') });
    switch (atom.fn) {
      case 'floordiv':
        return this.#unlessZero(atom.args[1]!, b, (by) =>
          // ONNX truncates; where a side may be negative, take off the remainder that has the divisor's sign.
          bounds(atom.args[0]!)[0] >= 0 && bounds(atom.args[1]!)[0] >= 0
            ? e.one('Div', [a, by])
            : e.one('Div', [e.one('Sub', [a, e.one('Mod', [a, by])]), by]),
        );
      case 'mod':
        return this.#unlessZero(atom.args[1]!, b, (by) => e.one('Mod', [a, by]));
      case 'min':
        return e.one('Min', [a, b]);
      case 'max':
        return e.one('Max', [a, b]);
      case 'lt':
        return toInt(e.one('Less', [a, b]));
      case 'eq':
        return toInt(e.one('Equal', [a, b]));
      case 'select':
        return e.one('Where', [e.one('Cast', [a], { to: dtype('bool') }), b, c]);
      default:
        return atom.fn satisfies never;
    }
  }

  /** Division by 0 is 0 in a dim; in onnxruntime it ends the process. */
  #unlessZero(divisor: Dim, name: string, divide: (by: string) => string): string {
    const [lo, hi] = bounds(divisor);
    if (lo > 0 || hi < 0) return divide(name);
    const { e } = this;
    const zero = e.one('Equal', [name, this.one(0)]);
    return e.one('Where', [zero, this.one(0), divide(e.one('Where', [zero, this.one(1), name]))]);
  }
}

export const scalarOf = (name: string, e: OnnxEmitter): string =>
  e.one('Reshape', [name, e.literal(literalOf('i64', [0], []))]);
