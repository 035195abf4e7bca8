import { type Binding, inputValue, is, type Node, type Value } from '../../src/ir/graph.js';
import type { TypeProto } from '../../src/onnx/types.js';
import { constant, dims } from '../../src/ops/constant.js';

/** One IR graph while it is being made: the main graph, or a body with the outer values it captures. */
export class Region {
  readonly bindings = new Map<string, Binding>();
  /** Outer value, and the input of the body that stands for it. */
  readonly captured = new Map<Value, Value>();
  /** Nodes that no runtime can run on what they are given, and why. */
  readonly failing = new Map<Node, string>();

  constructor(
    readonly outer: Region | undefined,
    private readonly adopt: (inner: Value, outer: Value) => void,
  ) {}

  /** The value by which this region knows an outer one. Constants belong to every graph. */
  capture(outer: Value): Value {
    if (is(outer.node, constant) || is(outer.node, dims)) return outer;
    let inner = this.captured.get(outer);
    if (inner === undefined) {
      inner = inputValue(`captured_${this.captured.size}`, outer.type, outer.node.origin);
      this.captured.set(outer, inner);
      this.adopt(inner, outer);
    }
    return inner;
  }
}

/** What a name may stand for; `absent` is a parameter of a function that its caller left out. */
export type Named = Value | 'absent';

/** The names of one ONNX graph. A name that it does not define is looked for in the graph around it. */
export class Scope {
  readonly #values = new Map<string, Named | (() => Value)>();

  constructor(
    readonly outer: Scope | undefined,
    readonly region: Region,
    readonly declared: ReadonlyMap<string, TypeProto>,
  ) {}

  define(name: string, value: Named | (() => Value)): void {
    this.#values.set(name, value);
  }

  lookup(name: string): Named | undefined {
    const own = this.#values.get(name);
    if (typeof own === 'function') {
      const value = own();
      this.#values.set(name, value);
      return value;
    }
    if (own !== undefined) return own;
    const found = this.outer?.lookup(name);
    if (found === undefined || found === 'absent' || this.outer!.region === this.region) return found;
    return this.region.capture(found);
  }

  *names(): Iterable<string> {
    yield* this.#values.keys();
    if (this.outer) yield* this.outer.names();
  }
}
