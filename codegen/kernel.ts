import type { Dim } from '../src/ir/dim.js';
import { show } from '../src/ir/dim.js';
import type { Expr } from '../src/ir/expr.js';
import { type Attrs, dtypeOf, type Graph, type Node, type Op, type Value } from '../src/ir/graph.js';
import { Literal } from '../src/ir/literal.js';
import type { DType } from '../src/ir/type.js';
import { Cpp, cpp, ctype, dimText, join, shortHash } from './cpp.js';
import type { CpuTarget, Target } from './target.js';

/** Where a kernel's parameter comes from when the segment's program calls it. */
export type Argument =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'output'; readonly index: number }
  | { readonly kind: 'dim'; readonly dim: Dim }
  | { readonly kind: 'weight'; readonly literal: Literal }
  | { readonly kind: 'number'; readonly value: number; readonly dtype: 'f32' | 'f64' };

export interface Parameter {
  readonly type: Cpp;
  readonly name: Cpp;
  readonly argument: Argument;
}

/** A C++ function and how to call it. Equal text is compiled once, whichever nodes ask for it. */
export interface KernelSource {
  /** Headers under kernels/include, in order of use. */
  readonly includes: readonly string[];
  /** The function's name: the operator's and a hash of the text. */
  readonly entry: Cpp;
  readonly signature: Cpp;
  readonly definition: Cpp;
  readonly parameters: readonly Parameter[];
  /** Functions of a device that it launches. */
  readonly device?: readonly DeviceFunction[];
}

/** A function that a device runs, in a source of its own. Equal text is compiled once. */
export interface DeviceFunction {
  readonly entry: Cpp;
  /** The whole translation unit. */
  readonly text: string;
  /** Its parameters, in order. */
  readonly types: readonly Cpp[];
  readonly names: readonly Cpp[];
  /** The devices it is compiled for. */
  readonly archs: readonly string[];
}

/** What the planner of a segment needs of an operator on any target. */
export interface KernelTraits<A extends Attrs = Attrs> {
  readonly op: Op<A>;
  /**
   * The graphs of a control-flow operator that runs one of them: the first when the first input is true, else the
   * second. Their inputs are the node's others.
   */
  branches?(node: Node<A>): readonly [Graph, Graph];
  /**
   * The first result's elements as a function of the inputs' elements, where the host computes it for itself to decide
   * on a branch.
   */
  expression?(node: Node<A>): Expr;
  /** True when the result holds extents of the first input and nothing else. */
  readonly tellsExtents?: true;
  /**
   * True when the result is the first input's memory under another type, or the offset in elements at which the
   * result lies in it: no code runs.
   */
  alias?(node: Node<A>): boolean | { readonly offset: Dim };
  /** Where each input lies in the result, in elements, when they may be computed in their places right away. */
  joins?(node: Node<A>): readonly Dim[] | undefined;
  /** Inputs whose memory the result may take over when nobody reads them later. Same bytes per element, element i read before i is written. */
  inPlace?(node: Node<A>): readonly number[];
  /** Floating-point operations, for the partitioner's estimate; defaults to the number of output elements. */
  work?(node: Node<A>): Dim;
}

export const defineTraits = <A extends Attrs>(traits: KernelTraits<A>): KernelTraits<A> =>
  Object.freeze(traits);

/** The nodes of an operator. */
export type NodeOf<O> = O extends Op<infer A> ? Node<A> : never;

/** What the code generator needs of an operator on the CPU. */
export interface Kernel<A extends Attrs = Attrs> extends KernelTraits<A> {
  /** Why this node cannot be compiled, as a sentence, or undefined when it can. */
  refuse?(node: Node<A>, target: CpuTarget): string | undefined;
  /** The body of the function; parameters are asked of `k`. Absent for an operator that only aliases. */
  emit?(node: Node<A>, k: KernelBuilder): Cpp;
}

export const defineKernel = <A extends Attrs>(kernel: Kernel<A>): Kernel<A> => Object.freeze(kernel);

/** Collects what a kernel body needs: headers, pointers, extents, packed weights. */
export class Builder<T extends Target> {
  readonly #includes = new Set<string>();
  readonly #parameters = new Map<string, Parameter>();
  readonly #helpers: Cpp[] = [];

  constructor(
    readonly node: Node,
    readonly target: T,
  ) {}

  protected get includes(): readonly string[] {
    return [...this.#includes];
  }

  protected get helpers(): readonly Cpp[] {
    return this.#helpers;
  }

  protected get parameters(): readonly Parameter[] {
    return [...this.#parameters.values()];
  }

  include(...headers: readonly string[]): void {
    for (const h of headers) this.#includes.add(h);
  }

  /** A definition at namespace scope in front of the function, for functors. */
  helper(text: Cpp): void {
    this.#helpers.push(text);
  }

  #parameter(key: string, type: Cpp, name: string, argument: Argument): Cpp {
    const known = this.#parameters.get(key);
    if (known) return known.name;
    const p = { type, name: new Cpp(name), argument };
    this.#parameters.set(key, p);
    return p.name;
  }

  /** Pointer to input i: `const T*`. */
  input(i: number): Cpp {
    const type = cpp`const ${ctype[dtypeOf(this.node.inputs[i]!)]}*`;
    return this.#parameter(`in${i}`, type, `x${i}`, { kind: 'input', index: i });
  }

  /** Pointer to output i: `T*`. */
  output(i = 0): Cpp {
    const type = cpp`${ctype[dtypeOf(this.node.outputs[i]!)]}*`;
    return this.#parameter(`out${i}`, type, `y${i}`, { kind: 'output', index: i });
  }

  /** An extent: a literal when it is known, so the compiler can unroll; else an int64_t parameter. */
  dim(d: Dim): Cpp {
    return typeof d === 'number' ? dimText(d, () => new Cpp('')) : this.arg(d);
  }

  /** An extent that is always an int64_t parameter, so that the text does not depend on it. */
  arg(d: Dim): Cpp {
    const count = [...this.#parameters.keys()].filter((k) => k.startsWith('dim')).length;
    const key = typeof d === 'number' ? `dim#${count}` : `dim:${show(d)}`;
    return this.#parameter(key, new Cpp('int64_t'), `n${count}`, { kind: 'dim', dim: d });
  }

  /** An int64_t parameter of its own even where another has the same extent, for text that no extent changes. */
  fresh(d: Dim): Cpp {
    const count = [...this.#parameters.keys()].filter((k) => k.startsWith('dim')).length;
    return this.#parameter(`dim#${count}`, new Cpp('int64_t'), `n${count}`, { kind: 'dim', dim: d });
  }

  /** Pointer to data laid out at compile time, such as packed weights; it lives in weights.bin. */
  weight(literal: Literal, dtype: DType = literal.dtype): Cpp {
    const count = [...this.#parameters.keys()].filter((k) => k.startsWith('weight')).length;
    return this.#parameter(`weight${count}`, cpp`const ${ctype[dtype]}*`, `w${count}`, {
      kind: 'weight',
      literal,
    });
  }

  /** A floating-point constant as a parameter, so that kernels that differ in it share their text. */
  number(value: number, dtype: 'f32' | 'f64' = 'f32'): Cpp {
    const count = [...this.#parameters.keys()].filter((k) => k.startsWith('number')).length;
    const argument = { kind: 'number', value, dtype } as const;
    return this.#parameter(`number:${count}`, ctype[dtype], `c${count}`, argument);
  }
}

/** Builds a function of the CPU. */
export class KernelBuilder extends Builder<CpuTarget> {
  finish(body: Cpp): KernelSource {
    const { parameters, helpers } = this;
    const list = join([cpp`ait::Context& ctx`, ...parameters.map((p) => cpp`${p.type} ${p.name}`)], ', ');
    const text = [...helpers.map(String), list.text, body.text].join('\n');
    const entry = new Cpp(`${this.node.op.name.replace(/\W/g, '_')}_${shortHash(text)}`);
    const signature = cpp`void ${entry}(${list})`;
    // Helpers of different kernels may share names, so each kernel has its own namespace.
    const space = helpers.length > 0 && new Cpp(`of_${entry}`);
    const definition = cpp`
      ${space && cpp`namespace ${space} {`}
      ${helpers}
      ${space && cpp`}  // namespace ${space}`}
      ${signature} {
        ${space && cpp`using namespace ${space};`}
        ${!/\bctx\b/.test(body.text) && cpp`(void)ctx;`}
        ${body}
      }
    `;
    return { includes: this.includes, entry, signature, definition, parameters };
  }
}

/** The constant a value is, if its node holds one: no inputs, and a literal in the attribute `value`. */
export function constantOf(v: Value): Literal | undefined {
  const { value } = v.node.attrs;
  return v.node.inputs.length === 0 && value instanceof Literal ? value : undefined;
}

/** The extents a value holds, if its node only writes extents: no inputs, and a list of dims in the attribute `dims`. */
export function extentsOf(v: Value): readonly Dim[] | undefined {
  const { dims } = v.node.attrs;
  return v.node.inputs.length === 0 && Array.isArray(dims) ? (dims as readonly Dim[]) : undefined;
}
