import { emit, is, type Node, type Origin, type Value } from '../../src/ir/graph.js';
import { constant, dims } from '../../src/ops/constant.js';
import type { Content } from '../../src/ops/content.js';
import type { Build } from '../../src/ops/op.js';
import { checkExtents, folded } from '../onnx/folding.js';

/** Makes nodes, and evaluates those whose elements are known while importing. */
export class Builder {
  readonly #contents = new WeakMap<Value, Content>();

  content(v: Value): Content | undefined {
    let known = this.#contents.get(v);
    if (!known && is(v.node, constant)) known = constant.evaluate?.([], v.node.attrs, []);
    if (!known && is(v.node, dims)) known = dims.evaluate?.([], v.node.attrs, []);
    if (known) this.#contents.set(v, known);
    return known;
  }

  build(origin: Origin): Build {
    const all: Build['all'] = (op, inputs, attrs) => {
      const node = emit(op, inputs, attrs, origin) as unknown as Node;
      checkExtents(node);
      const known = folded(node, (v) => this.content(v));
      if (known && 'node' in known) return [known];
      if (known) this.#contents.set(node.outputs[0]!, known);
      return node.outputs;
    };
    const one = (...args: Parameters<Build['all']>): Value => all(...args)[0]!;
    return Object.assign(one, { all }) as Build;
  }
}
