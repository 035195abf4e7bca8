import type { Dim } from '../src/ir/dim.js';
import { dtypeOf, type Graph, type Value } from '../src/ir/graph.js';
import type { Literal } from '../src/ir/literal.js';
import { Cpp, cpp, ctype } from './cpp.js';
import { constantOf } from './kernel.js';
import type { Layout } from './layout.js';

/** The names of the pointers that a program has to values. */
export class ValueText {
  readonly #pointers = new Map<Value, Cpp>();
  #count = 0;

  constructor(
    readonly g: Graph,
    readonly layout: Layout,
    readonly text: (d: Dim) => Cpp,
    readonly weight: (l: Literal) => Cpp,
  ) {
    g.inputs.forEach((v, i) => {
      this.#pointers.set(v, new Cpp(`in${i}`));
    });
  }

  /** Names the pointer to a result. */
  define(v: Value): Cpp {
    const p = new Cpp(`v${this.#count++}`);
    this.#pointers.set(v, p);
    return p;
  }

  pointer(v: Value): Cpp {
    const o = this.layout.owner(v);
    let p = this.#pointers.get(o);
    const literal = constantOf(o);
    if (!p && literal) {
      p = this.weight(literal);
      this.#pointers.set(o, p);
    }
    if (!p) throw new Error(`${o.node.op.name} is read before it is computed`);
    return this.#moved(p, v);
  }

  /** A pointer that is null where only the device has the elements; absent where that is certain. */
  onHost(v: Value): Cpp | undefined {
    const index = this.g.inputs.indexOf(this.layout.owner(v));
    if (index < 0 || this.layout.offset(v) !== 0) return undefined;
    return cpp`run.host<${ctype[dtypeOf(v)]}>(${index})`;
  }

  /** An element, wherever it is. */
  element(v: Value, i: number): Cpp {
    const host = this.onHost(v);
    return host ? cpp`run.read(${this.pointer(v)}, ${i}, ${host})` : cpp`run.read(${this.pointer(v)}, ${i})`;
  }

  #moved(p: Cpp, v: Value): Cpp {
    const offset = this.layout.offset(v);
    return offset === 0 ? p : cpp`${p} + ${this.text(offset)}`;
  }
}
