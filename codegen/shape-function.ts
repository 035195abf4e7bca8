import { bareSymbol, type Dim, isStatic, symbolsOf } from '../src/ir/dim.js';
import { type Graph, shapeOf } from '../src/ir/graph.js';
import { Cpp, cpp, dimText, ident } from './cpp.js';
import { extentsOf } from './kernel.js';
import { Symbols } from './symbol-names.js';

/** Computes the extents of the results before a run, where those of the inputs decide them; else nothing. */
export function shapeFunction(name: string, g: Graph): Cpp | false {
  const shapes = g.outputs.map(shapeOf);
  if (shapes.every((s) => isStatic(s))) return false;
  const symbols = new Symbols();
  const body: Cpp[] = [];
  g.inputs.forEach((v, i) => {
    shapeOf(v).forEach((d, axis) => {
      const bare = bareSymbol(d);
      if (bare !== undefined && !symbols.has(bare))
        body.push(cpp`const int64_t ${symbols.define(bare)} = inputs[${i}].shape[${axis}];`);
    });
  });
  const needed = new Set<string>();
  const text = (d: Dim): Cpp | undefined => {
    for (const s of symbolsOf(d).keys()) if (!resolve(s)) return undefined;
    return dimText(d, (s) => symbols.name(s));
  };
  const resolve = (symbol: string): boolean => {
    needed.add(symbol);
    if (symbols.has(symbol)) return true;
    const source = g.bindings.get(symbol);
    const extents = source && extentsOf(source.value);
    const value = extents && text(extents[source.element]!);
    if (!value) return false;
    body.push(cpp`const int64_t ${symbols.define(symbol)} = ${value};`);
    return true;
  };
  const all = shapes.flat().map(text);
  const known = all.filter((t) => t !== undefined);
  if (known.length < all.length) return false;
  return cpp`
    void ${new Cpp(`${name}_shapes`)}(const ait::Tensor* inputs, int64_t* extents) {
      ${body.filter((line) => [...needed].some((s) => line.text.startsWith(`const int64_t ${ident(`d_${s}`)} `)))}
      ${known.map((t, i) => cpp`extents[${i}] = ${t};`)}
    }
  `;
}
