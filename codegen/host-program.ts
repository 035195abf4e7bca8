import { bareSymbol, type Call, type Dim, isStatic, show, symbolsOf } from '../src/ir/dim.js';
import {
  dtypeOf,
  type Graph,
  inputName,
  type Node,
  shapeOf,
  topological,
  type Value,
} from '../src/ir/graph.js';
import type { Literal } from '../src/ir/literal.js';
import type { TensorType } from '../src/ir/type.js';
import { Cpp, callText, comment, cpp, ctype, dimText, join, number, str } from './cpp.js';
import {
  type Argument,
  constantOf,
  extentsOf,
  type Kernel,
  KernelBuilder,
  type KernelSource,
  type KernelTraits,
} from './kernel.js';
import { byteSize, type Layout, layOut, Slots, type Storage } from './layout.js';
import { planMemory } from './memory-plan.js';
import { port, portTable } from './ports.js';
import { shapeFunction } from './shape-function.js';
import { Symbols } from './symbol-names.js';
import type { CpuTarget } from './target.js';

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
  const isBody = outer !== undefined;
  const slots = outer ?? new Slots();
  const layout = layOut(g, set.kernelOf, slots);
  const bodies: SegmentCode[] = [];
  const symbols = new Symbols();
  const body: Cpp[] = [];
  const extents = new Map<string, Cpp>();
  /** An integer function of extents is computed once, where it is first needed. */
  const callName = (atom: Call): Cpp => {
    let known = extents.get(atom.key);
    if (!known) {
      const value = callText(atom, nameOf, callName);
      known = new Cpp(`n${extents.size}`);
      extents.set(atom.key, known);
      body.push(cpp`const int64_t ${known} = ${value};`);
    }
    return known;
  };
  const text = (d: Dim): Cpp => dimText(d, nameOf, callName);
  /** A symbol that stands for an expression is defined where it is first needed. */
  function nameOf(symbol: string): Cpp {
    const source = g.bindings.get(symbol);
    const extents = source && extentsOf(source.value);
    if (extents && !symbols.has(symbol)) {
      const value = text(extents[source.element]!);
      body.push(cpp`const int64_t ${symbols.define(symbol)} = ${value};`);
    }
    return symbols.name(symbol);
  }

  const pointers = new Map<Value, Cpp>();
  const bindAfter = bindings(g);
  const usedInputs = new Set(
    [...layout.steps.flatMap((n) => n.inputs), ...layout.copies.map((c) => c.from)].map(layout.owner),
  );
  for (const v of bindAfter.keys()) usedInputs.add(layout.owner(v));

  // Inputs, the extents they bind, and what the other extents must then be.
  g.inputs.forEach((v, i) => {
    const p = new Cpp(`in${i}`);
    pointers.set(v, p);
    if (usedInputs.has(v))
      body.push(
        cpp`const ${ctype[dtypeOf(v)]}* ${p} = run.input<${ctype[dtypeOf(v)]}>(${i});  ${comment(inputName(v))}`,
      );
  });
  const expectations: [number, number, Dim][] = [];
  g.inputs.forEach((v, i) => {
    shapeOf(v).forEach((d, axis) => {
      if (typeof d === 'number') return;
      const bare = bareSymbol(d);
      if (bare !== undefined && !symbols.has(bare))
        body.push(cpp`const int64_t ${symbols.define(bare)} = run.extent(${i}, ${axis});`);
      else expectations.push([i, axis, d]);
    });
  });
  /** Whether every symbol is known from the inputs' extents alone. */
  const known = (d: Dim): boolean =>
    [...symbolsOf(d).keys()].every((s) => {
      const source = g.bindings.get(s);
      const extents = source && extentsOf(source.value);
      return symbols.has(s) || (extents !== undefined && known(extents[source!.element]!));
    });
  const expect = (which: readonly (typeof expectations)[number][]): void => {
    for (const [i, axis, d] of which) body.push(cpp`if (!run.expect(${i}, ${axis}, ${text(d)})) return;`);
  };
  // An input that tells extents is read only when it has the size it must have.
  const unknown = expectations.filter(([, , d]) => !known(d));
  expect(expectations.filter((e) => !unknown.includes(e)));

  const pointer = (v: Value): Cpp => {
    const o = layout.owner(v);
    let p = pointers.get(o);
    const literal = constantOf(o);
    if (!p && literal) {
      p = cpp`run.weight<${ctype[dtypeOf(o)]}>(${weights.append(literal)})`;
      pointers.set(o, p);
    }
    if (!p) throw new Error(`${o.node.op.name} is read before it is computed`);
    const offset = layout.offset(v);
    return offset === 0 ? p : cpp`${p} + ${text(offset)}`;
  };
  const bind = (v: Value): void => {
    for (const { symbol, element } of bindAfter.get(v) ?? []) {
      if (symbols.has(symbol)) continue;
      if (layout.lateSymbols.has(symbol)) body.push(cpp`if (run.ctx.error) return;`);
      body.push(
        cpp`const int64_t ${symbols.define(symbol)} = static_cast<int64_t>(run.read(${pointer(v)}, ${element}));`,
      );
    }
  };
  for (const v of bindAfter.keys()) if (!layout.steps.includes(layout.owner(v).node)) bind(v);
  expect(unknown);

  const arena = emitArena(layout, text);
  body.push(...arena.code);

  const kernels: KernelSource[] = [];
  const callers = new Map<string, readonly Node[]>();
  let count = 0;
  const steps = new Set(layout.steps);
  for (const n of topological(g)) {
    demand(n);
    if (!steps.has(n)) continue;
    const branches = set.kernelOf(n).branches?.(n);
    if (branches) {
      emitBranch(n, branches);
      continue;
    }
    const source = blaming(n, () => set.sourceOf(n));
    kernels.push(source);
    callers.set(source.entry.text, [...(callers.get(source.entry.text) ?? []), n]);
    body.push(comment(`${n.op.name}: ${n.origin.name}`));
    for (const v of n.outputs) {
      const p = new Cpp(`v${count++}`);
      pointers.set(v, p);
      const memory = memoryOf(v);
      if (memory) body.push(cpp`${ctype[dtypeOf(v)]}* ${p} = ${memory};`);
    }
    const args = source.parameters.map((p) => argument(p.argument, n));
    body.push(cpp`${source.entry}(${join([cpp`run.ctx`, ...args], ', ')});`);
    for (const v of bindAfter.keys()) if (layout.owner(v).node === n) bind(v);
  }
  /** Ends the run where extents are not what a node takes for granted. */
  function demand(n: Node): void {
    const [inputs, outputs] = [n.inputs, n.outputs].map((all) => all.map((v) => v.type as TensorType));
    const seen = new Set<string>();
    for (const { condition, otherwise } of n.op.requires?.(inputs!, n.attrs, outputs!) ?? []) {
      if (condition === 1 || seen.has(show(condition))) continue;
      seen.add(show(condition));
      const message = str(`${n.origin.opType ?? n.op.name} ${n.origin.name}: ${otherwise}`);
      body.push(cpp`if (${text(condition)} != 1) return run.ctx.fail(${message});`);
    }
  }

  /** Calls one of two bodies; each is a program like the segment's own. */
  function emitBranch(n: Node, graphs: readonly [Graph, Graph]): void {
    const id = `${name}_${layout.steps.indexOf(n)}`;
    const [then, otherwise] = graphs.map((body, i) =>
      blaming(n, () => emitSegment(`${id}_${i === 0 ? 'then' : 'else'}`, body, set, weights, slots)),
    );
    for (const code of [then!, otherwise!]) {
      bodies.push(code);
      kernels.push(...code.kernels);
      for (const entry of code.callers.keys()) callers.set(entry, [...(callers.get(entry) ?? []), n]);
    }
    const captured = n.inputs.slice(1);
    const shapes = captured.map((v, i) => {
      const extents = join([...shapeOf(v).map(text), cpp`0`], ', ');
      return cpp`int64_t shape_${new Cpp(id)}_${i}[] = {${extents}};`;
    });
    const tensors = captured.map(
      (v, i) =>
        cpp`{const_cast<${ctype[dtypeOf(v)]}*>(${pointer(v)}), shape_${new Cpp(id)}_${i}, ${shapeOf(v).length}}`,
    );
    const branch = new Cpp(`branch_${id}`);
    body.push(
      comment(`if: ${n.origin.name}`),
      ...shapes,
      cpp`const ait::Tensor captured_${new Cpp(id)}[] = {${join([...tensors, cpp`{nullptr, nullptr, 0}`], ', ')}};`,
      cpp`ait::Branch<${n.outputs.length}> ${branch}(run, ${slots.take(1 + n.outputs.length)}, captured_${new Cpp(id)});`,
      cpp`((${pointer(n.inputs[0]!)})[0] ? ${new Cpp(then!.name)} : ${new Cpp(otherwise!.name)})(${branch});`,
      cpp`if (run.ctx.error) return;`,
    );
    n.outputs.forEach((v, i) => {
      const p = new Cpp(`v${count++}`);
      pointers.set(v, p);
      body.push(cpp`const ${ctype[dtypeOf(v)]}* ${p} = ${branch}.result<${ctype[dtypeOf(v)]}>(${i});`);
      shapeOf(v).forEach((d, axis) => {
        const bare = bareSymbol(d);
        if (bare !== undefined && !symbols.has(bare))
          body.push(cpp`const int64_t ${symbols.define(bare)} = ${branch}.result_extent(${i}, ${axis});`);
      });
    });
  }

  for (const { from, output } of layout.copies) {
    const bytes = text(byteSize(from));
    body.push(cpp`run.copy(${outputMemory(output)}, ${pointer(from)}, ${bytes});`);
  }

  function argument(a: Argument, n: Node): Cpp {
    switch (a.kind) {
      case 'input':
        return pointer(n.inputs[a.index]!);
      case 'output':
        return pointer(n.outputs[a.index]!);
      case 'dim':
        return text(a.dim);
      case 'weight':
        return cpp`run.weight<${ctype[a.literal.dtype]}>(${weights.append(a.literal)})`;
      case 'number':
        return number(a.value, a.dtype);
      default:
        return a satisfies never;
    }
  }

  function outputMemory(i: number): Cpp {
    const v = g.outputs[i]!;
    return cpp`run.output<${ctype[dtypeOf(v)]}>(${join([cpp`${i}`, ...shapeOf(v).map(text)], ', ')})`;
  }

  function placeText(storage: Storage, offset: Dim): Cpp {
    const at = arena.offset(storage);
    return offset === 0 ? at : cpp`${at} + ${text(offset)}`;
  }

  function memoryOf(v: Value): Cpp | undefined {
    const place = layout.place(v);
    const type = ctype[dtypeOf(v)];
    switch (place.kind) {
      case 'output':
        return outputMemory(place.index);
      case 'arena':
        return cpp`ait::at<${type}>(arena, ${placeText(place.storage, place.offset)})`;
      case 'late':
        return cpp`reinterpret_cast<${type}*>(run.late<uint8_t>(${place.slot}, ${text(place.storage.bytes)}))`;
      case 'input':
      case 'constant':
      case 'branch':
        return undefined;
      default:
        return place satisfies never;
    }
  }

  const ins = g.inputs.map((v) => port(inputName(v), v.type as TensorType));
  const outs = g.outputs.map((v, i) => port(g.outputNames[i]!, v.type as TensorType));
  const shapes = !isBody && shapeFunction(name, g);
  const definition = cpp`
    void ${new Cpp(name)}(ait::Run& run) {
      ${body}
    }
  `;
  const tables = isBody ? [] : [portTable(`${name}_inputs`, ins), portTable(`${name}_outputs`, outs), shapes];
  const parts = [...bodies.map((b) => b.program), ...tables, definition];
  const program = join(
    parts.filter((part) => part !== false),
    '\n\n',
  );
  const inputTable = new Cpp(ins.length === 0 ? 'nullptr' : `${name}_inputs`);
  const entry = cpp`{${str(name)}, ${ins.length}, ${inputTable}, ${outs.length}, ${new Cpp(`${name}_outputs`)}, ${new Cpp(name)}, ${new Cpp(shapes ? `${name}_shapes` : 'nullptr')}},`;
  return { name, kernels, callers, program, entry, arenaBytes: arena.bytes };
}

/** A kernel that could not be generated for a node: a mistake of ours that costs only this node. */
export class KernelFailure extends Error {
  constructor(
    readonly node: Node,
    cause: unknown,
  ) {
    super(`generating its kernel failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** What fails for a node, or inside a body that it has, is a failure of the node. */
function blaming<T>(n: Node, emit: () => T): T {
  try {
    return emit();
  } catch (e) {
    throw new KernelFailure(n, e instanceof KernelFailure ? e.cause : e);
  }
}

/** Which symbols become known when a value does. */
function bindings(g: Graph): ReadonlyMap<Value, readonly { symbol: string; element: number }[]> {
  const all = new Map<Value, { symbol: string; element: number }[]>();
  for (const [symbol, { value, element }] of g.bindings)
    if (!extentsOf(value)) all.set(value, [...(all.get(value) ?? []), { symbol, element }]);
  return all;
}

function emitArena(
  layout: Layout,
  text: (d: Dim) => Cpp,
): { code: readonly Cpp[]; offset: (s: Layout['arena'][number]) => Cpp; bytes: number | undefined } {
  const { arena } = layout;
  if (arena.length === 0) return { code: [], offset: () => cpp`0`, bytes: 0 };
  if (isStatic(arena.map((s) => s.bytes))) {
    const plan = planMemory(arena.map((s) => ({ ...s, bytes: s.bytes as number })));
    return {
      code: [cpp`uint8_t* const arena = run.arena(${plan.bytes});`],
      offset: (s) => cpp`${plan.offsets[arena.indexOf(s)]}`,
      bytes: plan.bytes,
    };
  }
  const list = (xs: readonly Cpp[]): Cpp => join(xs, ', ');
  return {
    code: [
      cpp`static const int32_t first[] = {${list(arena.map((s) => cpp`${s.first}`))}};`,
      cpp`static const int32_t last[] = {${list(arena.map((s) => cpp`${s.last}`))}};`,
      cpp`const int64_t sizes[] = {${list(arena.map((s) => text(s.bytes)))}};`,
      cpp`int64_t offsets[${arena.length}];`,
      cpp`uint8_t* const arena = run.plan({${arena.length}, first, last}, sizes, offsets);`,
    ],
    offset: (s) => cpp`offsets[${arena.indexOf(s)}]`,
    bytes: undefined,
  };
}
