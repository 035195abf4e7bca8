import { type Attrs, type AttrValue, type Node, type Op, transform, type Value } from '../src/ir/graph.js';
import type { Literal } from '../src/ir/literal.js';
import { showAttr } from '../src/ir/print.js';
import { showType } from '../src/ir/type.js';
import { constant } from '../src/ops/constant.js';
import { foreign } from '../src/ops/foreign.js';
import type { SyncPass } from './steps.js';

/** Constants above this are compared by identity: reading all of a model's weights for it would cost more. */
const largestCompared = 1 << 20;

/** Numbers for things that are compared by identity. */
class Identities {
  readonly #known = new WeakMap<object, number>();
  #next = 0;

  of(x: object): number {
    let id = this.#known.get(x);
    if (id === undefined) {
      id = this.#next++;
      this.#known.set(x, id);
    }
    return id;
  }
}

/** Numbers for literals, equal ones for equal contents. Most differ where they begin: few are read whole. */
class Contents {
  readonly #alike = new Map<string, { readonly literal: Literal; readonly id: number }[]>();
  #next = 0;

  of(literal: Literal): number {
    const alike = this.#alike.get(literal.beginning) ?? [];
    this.#alike.set(literal.beginning, alike);
    const known = alike.find((a) => a.literal === literal || a.literal.key === literal.key);
    if (known) return known.id;
    const id = this.#next++;
    alike.push({ literal, id });
    return id;
  }
}

const hasBody = (a: AttrValue): boolean =>
  typeof a === 'object' &&
  (Array.isArray(a) ? a.some(hasBody) : 'kind' in a && (a as { kind: unknown }).kind === 'graph');

/** Whether two such nodes with equal inputs yield equal results: not known of foreign nodes, which may draw random numbers. */
const isPure = (n: Node): boolean =>
  (n.op as Op) !== (foreign as unknown as Op) && !Object.values(n.attrs).some(hasBody);

/**
 * Common subexpressions: nodes of one operator with equal attributes and the same inputs become one node.
 * Exporters repeat shape arithmetic, masks and constants for every layer, and other passes transpose one
 * value once for each reader. Runs after simplification, which makes equal things look equal.
 */
export const cse: SyncPass = {
  name: 'cse',
  run: (g) => {
    const ids = new Identities();
    const contents = new Contents();
    const seen = new Map<string, Node>();
    const keyOf = (n: Node): string => {
      const literal =
        (n.op as Op) === (constant as unknown as Op) ? (n.attrs as { value: Literal }).value : undefined;
      const attrs =
        literal && literal.byteLength > largestCompared
          ? `#${ids.of(literal)}`
          : literal
            ? String(contents.of(literal))
            : showAttr(n.attrs as Attrs);
      const types = n.outputs.map((v: Value) => showType(v.type)).join();
      return `${ids.of(n.op)}(${n.inputs.map((v) => ids.of(v)).join()})${attrs}:${types}`;
    };
    return transform(g, (node) => {
      if (node.op.name === 'input' || !isPure(node)) return undefined;
      const key = keyOf(node);
      const first = seen.get(key);
      if (first) return first.outputs;
      seen.set(key, node);
      return undefined;
    });
  },
};
