import { bareSymbol, type Dim, symbolsOf } from '../src/ir/dim.js';
import { type Graph, type Node, shapeOf, usersOf, type Value } from '../src/ir/graph.js';
import { extentsOf, type KernelTraits } from './kernel.js';

export const mentions = (d: Dim, symbols: ReadonlySet<string>): boolean =>
  [...symbolsOf(d).keys()].some((s) => symbols.has(s));

/** Extents that only give symbols their values, where the host has them; nothing reads them as data. */
export const onlyNames = (n: Node, g: Graph, kernelOf: (n: Node) => KernelTraits): boolean => {
  const told = (v: Value): boolean => extentsOf(v) !== undefined || isToldByBranch(n, kernelOf);
  return n.outputs.every((v) => told(v) && !usersOf(g).has(v) && !g.outputs.includes(v));
};

/** Extents of a branch's result, which the branch tells. */
function isToldByBranch(n: Node, kernelOf: (n: Node) => KernelTraits): boolean {
  const of = n.inputs[0]?.node;
  return kernelOf(n).tellsExtents === true && !!of?.inputs.length && !!kernelOf(of).branches;
}

/** Symbols read from values that steps compute or that branches yield, and those computed from such symbols. */
export function lateSymbolsOf(
  g: Graph,
  isComputed: (v: Value) => boolean,
  branches: ReadonlySet<Node>,
): ReadonlySet<string> {
  const late = new Set<string>();
  const early = new Set(g.inputs.flatMap(shapeOf).map(bareSymbol));
  for (const n of branches)
    for (const d of n.outputs.flatMap(shapeOf)) {
      const symbol = bareSymbol(d);
      if (symbol !== undefined && !early.has(symbol)) late.add(symbol);
    }
  for (;;) {
    const before = late.size;
    for (const [symbol, { value, element }] of g.bindings) {
      const extents = extentsOf(value);
      if (extents ? mentions(extents[element]!, late) : isComputed(value)) late.add(symbol);
    }
    if (late.size === before) return late;
  }
}
