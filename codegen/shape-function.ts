import { bareSymbol, type Dim, isStatic, symbolsOf } from '../src/ir/dim.js';
import { type Graph, shapeOf } from '../src/ir/graph.js';
import { Cpp, cpp, dimText } from './cpp.js';
import { extentsOf } from './kernel.js';
import { Symbols } from './symbol-names.js';

/** Computes the extents of the results before a run, where those of the inputs decide them; else nothing. */
export function shapeFunction(name: string, g: Graph): Cpp | false {
  const shapes = g.outputs.map(shapeOf);
  if (shapes.every((s) => isStatic(s))) return false;
  const read = new Map<string, Cpp>();
  g.inputs.forEach((v, i) => {
    shapeOf(v).forEach((d, axis) => {
      const bare = bareSymbol(d);
      if (bare !== undefined && !read.has(bare)) read.set(bare, cpp`inputs[${i}].shape[${axis}]`);
    });
  });
  const symbols = new Symbols();
  const body: Cpp[] = [];
  const text = (d: Dim): Cpp | undefined =>
    [...symbolsOf(d).keys()].every(define) ? dimText(d, (s) => symbols.name(s)) : undefined;
  function define(symbol: string): boolean {
    if (symbols.has(symbol)) return true;
    const source = g.bindings.get(symbol);
    const extents = source && extentsOf(source.value);
    const value = read.get(symbol) ?? (extents && text(extents[source.element]!));
    if (value) body.push(cpp`const int64_t ${symbols.define(symbol)} = ${value};`);
    return value !== undefined;
  }
  const results = shapes.flat().map(text);
  if (results.includes(undefined)) return false;
  return cpp`
    void ${new Cpp(`${name}_shapes`)}(const ait::Tensor* inputs, int64_t* extents) {
      ${body}
      ${results.map((t, i) => cpp`extents[${i}] = ${t};`)}
    }
  `;
}
