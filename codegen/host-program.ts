import { dtypeOf, type Graph, inputName, type Node, topological, type Value } from '../src/ir/graph.js';
import type { Literal } from '../src/ir/literal.js';
import { emitBranch } from './branch-text.js';
import { Cpp, comment, cpp, ctype, join, number } from './cpp.js';
import { demands, expectedExtents } from './extent-checks.js';
import { ExtentText } from './extent-text.js';
import {
  type Argument,
  extentsOf,
  type Kernel,
  KernelBuilder,
  type KernelSource,
  type KernelTraits,
} from './kernel.js';
import { blaming } from './kernel-failure.js';
import { byteSize, type Layout, layOut, Slots } from './layout.js';
import { memoryText } from './memory-text.js';
import { borderTables, segmentEntry } from './segment-tables.js';
import type { CpuTarget } from './target.js';
import { ValueText } from './value-text.js';

/** Gives constants their place in the weights file: an offset in bytes, 64-byte aligned. */
export interface WeightStore {
  append(l: Literal): number;
  /** Size of the file so far. */
  readonly bytes: number;
}

/** A segment as C++: its program and the kernels it calls. */
export interface SegmentCode {
  readonly name: string;
  readonly kernels: readonly KernelSource[];
  /** The nodes that call each kernel, by its entry. */
  readonly callers: ReadonlyMap<string, readonly Node[]>;
  /** Definition of the segment's function and its port tables. */
  readonly program: Cpp;
  /** An initialiser of ait::Segment. */
  readonly entry: Cpp;
  /** Bytes of the arena when every extent is known. */
  readonly arenaBytes: number | undefined;
}

/** What a target has for the nodes of a segment. */
export interface KernelSet {
  kernelOf(n: Node): KernelTraits;
  /** The function for a node whose kernel is no alias and has no branches. */
  sourceOf(n: Node): KernelSource;
}

/** The kernels of the CPU as the emitter wants them. */
export const cpuKernelSet = (target: CpuTarget, kernelOf: (n: Node) => Kernel): KernelSet => ({
  kernelOf,
  sourceOf: (n) => {
    const builder = new KernelBuilder(n, target);
    return builder.finish(kernelOf(n).emit!(n, builder));
  },
});

export function emitSegment(
  name: string,
  g: Graph,
  set: KernelSet,
  weights: WeightStore,
  outer?: Slots,
): SegmentCode {
  const slots = outer ?? new Slots();
  const layout = layOut(g, set.kernelOf, slots);
  const body: Cpp[] = [];
  const extents = new ExtentText(g, body);
  const { text } = extents;
  const weight = (l: Literal): Cpp => cpp`run.weight<${ctype[l.dtype]}>(${weights.append(l)})`;
  const values = new ValueText(g, layout, text, weight);

  const bindAfter = bindings(g, layout);
  const bind = (v: Value): void => {
    for (const { symbol, element } of bindAfter.get(v) ?? []) {
      if (extents.has(symbol)) continue;
      if (layout.lateSymbols.has(symbol)) body.push(cpp`if (run.ctx.error) return;`);
      extents.define(symbol, cpp`static_cast<int64_t>(${values.element(v, element)})`);
    }
  };
  const read = [...layout.steps.flatMap((n) => n.inputs), ...layout.copies.map((c) => c.from)];
  const used = new Set([...read, ...bindAfter.keys()].map(layout.owner));
  // Inputs, the extents they bind, and what the other extents must then be.
  g.inputs.forEach((v, i) => {
    const type = ctype[dtypeOf(v)];
    if (used.has(v))
      body.push(cpp`const ${type}* in${i} = run.input<${type}>(${i});  ${comment(inputName(v))}`);
  });
  const expectations = expectedExtents(g, extents);
  const expect = (which: typeof expectations): void => {
    for (const [i, axis, d] of which) body.push(cpp`if (!run.expect(${i}, ${axis}, ${text(d)})) return;`);
  };
  // An input that tells extents is read only when it has the size it must have.
  const unknown = expectations.filter(([, , d]) => !extents.known(d));
  expect(expectations.filter((e) => !unknown.includes(e)));
  for (const v of bindAfter.keys()) if (!layout.steps.includes(layout.owner(v).node)) bind(v);
  expect(unknown);

  const memory = memoryText(g, layout, text);
  body.push(...memory.code);

  const bodies: SegmentCode[] = [];
  const kernels: KernelSource[] = [];
  const callers = new Map<string, readonly Node[]>();
  const called = (entry: string, n: Node): unknown => callers.set(entry, [...(callers.get(entry) ?? []), n]);
  const branch = (n: Node, graphs: readonly [Graph, Graph]): void => {
    const id = `${name}_${layout.steps.indexOf(n)}`;
    const functions = [`${id}_then`, `${id}_else`] as const;
    graphs.forEach((inner, i) => {
      const code = blaming(n, () => emitSegment(functions[i]!, inner, set, weights, slots));
      bodies.push(code);
      kernels.push(...code.kernels);
      for (const entry of code.callers.keys()) called(entry, n);
    });
    const slot = slots.take(1 + n.outputs.length);
    emitBranch(n, { id, functions, slot, extents, values, kernelOf: set.kernelOf });
  };
  const call = (n: Node): void => {
    const source = blaming(n, () => set.sourceOf(n));
    kernels.push(source);
    called(source.entry.text, n);
    body.push(comment(`${n.op.name}: ${n.origin.name}`));
    for (const v of n.outputs) {
      const p = values.define(v);
      const place = memory.of(v);
      if (place) body.push(cpp`${ctype[dtypeOf(v)]}* ${p} = ${place};`);
    }
    const args = source.parameters.map((p) => argument(p.argument, n));
    body.push(cpp`${source.entry}(${join([cpp`run.ctx`, ...args], ', ')});`);
    for (const v of bindAfter.keys()) if (layout.owner(v).node === n) bind(v);
  };
  const argument = (a: Argument, n: Node): Cpp => {
    switch (a.kind) {
      case 'input':
        return values.pointer(n.inputs[a.index]!);
      case 'output':
        return values.pointer(n.outputs[a.index]!);
      case 'dim':
        return text(a.dim);
      case 'weight':
        return weight(a.literal);
      case 'number':
        return number(a.value, a.dtype);
      default:
        return a satisfies never;
    }
  };
  const steps = new Set(layout.steps);
  for (const n of topological(g)) {
    body.push(...demands(n, text));
    const graphs = steps.has(n) && set.kernelOf(n).branches?.(n);
    if (graphs) branch(n, graphs);
    else if (steps.has(n)) call(n);
  }
  for (const { from, output } of layout.copies) {
    const bytes = text(byteSize(from));
    body.push(cpp`run.copy(${memory.output(output)}, ${values.pointer(from)}, ${bytes});`);
  }

  const parts = [...bodies.map((b) => b.program), ...(outer ? [] : borderTables(name, g))];
  const program = join([...parts, definition(name, body)], '\n\n');
  return { name, kernels, callers, program, entry: segmentEntry(name, g), arenaBytes: memory.arenaBytes };
}

const definition = (name: string, body: readonly Cpp[]): Cpp => cpp`
  void ${new Cpp(name)}(ait::Run& run) {
    ${body}
  }
`;

/** Which symbols become known when a value does. */
function bindings(
  g: Graph,
  layout: Layout,
): ReadonlyMap<Value, readonly { symbol: string; element: number }[]> {
  const all = new Map<Value, { symbol: string; element: number }[]>();
  for (const [symbol, { value, element }] of g.bindings)
    if (!extentsOf(value) && layout.has(value))
      all.set(value, [...(all.get(value) ?? []), { symbol, element }]);
  return all;
}
