import { bareSymbol, type Dim, show } from '../src/ir/dim.js';
import { type Graph, type Node, shapeOf } from '../src/ir/graph.js';
import type { TensorType } from '../src/ir/type.js';
import { type Cpp, cpp, str } from './cpp.js';
import type { ExtentText } from './extent-text.js';

/** Defines the symbols that are extents of inputs; the other extents are to be what the graph says. */
export function expectedExtents(g: Graph, extents: ExtentText): readonly (readonly [number, number, Dim])[] {
  return g.inputs.flatMap((v, i) =>
    shapeOf(v).flatMap((d, axis) => {
      if (typeof d === 'number') return [];
      const bare = bareSymbol(d);
      if (bare === undefined || extents.has(bare)) return [[i, axis, d] as const];
      extents.define(bare, cpp`run.extent(${i}, ${axis})`);
      return [];
    }),
  );
}

/** Ends the run where extents are not what a node takes for granted. */
export function demands(n: Node, text: (d: Dim) => Cpp): readonly Cpp[] {
  const [inputs, outputs] = [n.inputs, n.outputs].map((all) => all.map((v) => v.type as TensorType));
  const seen = new Set<string>();
  return (n.op.requires?.(inputs!, n.attrs, outputs!) ?? []).flatMap(({ condition, otherwise }) => {
    if (condition === 1 || seen.has(show(condition))) return [];
    seen.add(show(condition));
    const message = str(`${n.origin.opType ?? n.op.name} ${n.origin.name}: ${otherwise}`);
    return [cpp`if (${text(condition)} != 1) return run.ctx.fail(${message});`];
  });
}
