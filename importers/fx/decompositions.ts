import { CompileError } from '../../src/support/diagnostic.js';
import { isArray, isObject, type Json, parseJson } from '../pt2/json.js';
import { resultNames } from './aten-node.js';
import { argumentOf, type Known, plain, scalarTypeNumber } from './fx-values.js';
import type { Region } from './region.js';
import { type NamedArgument, type ProgramNode, unionOf } from './schema.js';

/** What stands in a decomposition: `$name` is an input of the operator or a result of a step before. */
export type StepValue = null | boolean | number | string | readonly StepValue[] | { readonly float: number };

/** An operator that is known, or that another decomposition explains. */
export interface Step {
  /** Such as `aten.mul.Tensor`. */
  readonly operator: string;
  readonly inputs: Readonly<Record<string, StepValue>>;
  /** The name of what it yields, or those of several. */
  readonly result: string | readonly string[];
  /** The tensor whose type and shape the result has; by default those of the operator's own first result. */
  readonly like?: string;
  /** `torch.float32` in place of that type. */
  readonly dtype?: string;
  /** Sizes in place of that shape: numbers, or `$name.0` for the size of an axis. */
  readonly shape?: readonly (number | string)[];
}

export interface Decomposition {
  /** The values of inputs that a program leaves out when they are these. */
  readonly defaults?: Readonly<Record<string, StepValue>>;
  readonly steps: readonly Step[];
  /** The steps' results that the operator yields, in order. */
  readonly results: readonly string[];
}

/** A node as a function that decomposes it sees it: tensors and sizes are references, the rest is plain. */
export interface DecomposedNode {
  readonly operator: string;
  readonly inputs: Readonly<Record<string, StepValue>>;
}

export type Decompositions = ReadonlyMap<string, Decomposition | ((node: DecomposedNode) => Decomposition)>;

const bad = (operator: string, what: string): CompileError =>
  new CompileError('bad-decomposition', `the decomposition of ${operator} ${what}`);

/** The nodes that stand for a node, where a decomposition says so. */
export function decomposed(
  region: Region,
  node: ProgramNode,
  target: string,
): readonly ProgramNode[] | undefined {
  const short = target.replace(/\.default$/, '');
  const { decompositions } = region.shared;
  const found = decompositions.get(target) ?? decompositions.get(short);
  if (found === undefined || node.within?.includes(short)) return undefined;
  const described = {
    operator: target,
    inputs: Object.fromEntries(node.inputs.map((a) => [a.name, shown(a)])),
  };
  const rule = checked(typeof found === 'function' ? found(described) : found, target);
  return new Writer(region, node, target, rule, [...(node.within ?? []), short]).nodes();
}

function shown({ name, arg }: NamedArgument): StepValue {
  const [form, value] = unionOf(arg, `the argument "${name}"`);
  if (form === 'as_float') return { float: Number(value) };
  if (form === 'as_none') return null;
  const isPlain = /^as_(int|bool|string|ints|bools|strings|floats)$/.test(form);
  return isPlain ? (value as StepValue) : `$${name}`;
}

class Writer {
  readonly #values = new Map<string, Json>();
  readonly #own: readonly (string | undefined)[];

  constructor(
    private readonly region: Region,
    private readonly node: ProgramNode,
    private readonly target: string,
    private readonly rule: Decomposition,
    private readonly within: readonly string[],
  ) {
    this.#own = resultNames(node.outputs);
    for (const [name, value] of Object.entries(rule.defaults ?? {}))
      this.#values.set(name, argumentOf(this.#known(value), name));
    for (const { name, arg } of node.inputs) this.#values.set(name, arg);
  }

  nodes(): readonly ProgramNode[] {
    const { rule, target } = this;
    const nodes = rule.steps.map((step, i): ProgramNode => {
      const inputs = Object.entries(step.inputs).map(([name, v]) => ({ name, arg: this.#argument(v, name) }));
      const outputs = [step.result].flat().map((name): Json => {
        const at = rule.results.indexOf(name);
        const own = at >= 0 ? this.#own[at] : undefined;
        const full = own ?? `${this.node.name}.${name}`;
        if (own === undefined) this.region.declare(full, this.#meta(step));
        const result = { as_tensor: { name: full } };
        this.#values.set(name, result);
        return result;
      });
      return {
        ...this.node,
        target: step.operator.startsWith('torch.') ? step.operator : `torch.ops.${step.operator}`,
        inputs,
        outputs,
        name: `${this.node.name}.${i}`,
        within: this.within,
      };
    });
    const missing = rule.results.find((name) => !rule.steps.some((s) => [s.result].flat().includes(name)));
    if (missing !== undefined) throw bad(target, `has no step that yields "${missing}"`);
    return nodes;
  }

  #reference(text: string): Json {
    const found = this.#values.get(text.slice(1));
    if (found !== undefined) return found;
    throw bad(this.target, `speaks of "${text}", which is neither an input nor a result of a step before`);
  }

  #argument(v: StepValue, name: string): Json {
    if (typeof v === 'string' && v.startsWith('$')) return this.#reference(v);
    return argumentOf(this.#known(v), `the argument "${name}"`);
  }

  #known(v: StepValue): Known {
    if (isArray(v as Json))
      return { kind: 'list', items: (v as readonly StepValue[]).map((x) => this.#known(x)) };
    if (isObject(v as Json)) return plain(`#${(v as { readonly float: number }).float}`);
    if (typeof v !== 'string' || !v.startsWith('$')) return plain(v as Json);
    const [form, value] = unionOf(this.#reference(v), v);
    const name = isObject(value) ? (value.name ?? value.as_name) : undefined;
    if (typeof name !== 'string') return plain(value);
    return { kind: form === 'as_sym_int' ? 'size' : 'tensor', name };
  }

  #metaOf(text: string): { readonly [key: string]: Json } {
    const known = this.#known(text);
    const meta = known.kind === 'tensor' ? this.region.meta(known.name) : undefined;
    if (isObject(meta)) return meta;
    throw bad(this.target, `speaks of "${text}" as of a tensor`);
  }

  /** The type of a result of a step that the operator itself does not yield. */
  #meta({ like, dtype, shape, operator }: Step): Json {
    const first = this.#own.find((name) => name !== undefined);
    const base =
      like === undefined ? (first === undefined ? {} : this.region.meta(first)) : this.#metaOf(like);
    const type = dtype === undefined ? undefined : scalarTypeNumber(dtype);
    if (dtype !== undefined && type === undefined)
      throw bad(this.target, `has the type "${dtype}" of ${operator}`);
    const sizes = shape?.map((d): Json => {
      if (typeof d === 'number') return { as_int: d };
      const [, name = '', axis = ''] = /^(\$.*)\.(\d+)$/.exec(d) ?? [];
      const sizes = name === '' ? undefined : this.#metaOf(name).sizes;
      const size = isArray(sizes) ? sizes[Number(axis)] : undefined;
      if (size === undefined) throw bad(this.target, `has the size "${d}" of ${operator}`);
      return size;
    });
    return {
      ...(isObject(base) ? base : {}),
      ...(type === undefined ? {} : { dtype: type }),
      ...(sizes === undefined ? {} : { sizes, strides: [] }),
    };
  }
}

/** A decomposition as a file or a function gives it. */
function checked(value: unknown, operator: string): Decomposition {
  const rule = value as Partial<Decomposition> | null;
  const isStep = (s: unknown): boolean =>
    isObject(s as Json) &&
    typeof (s as Step).operator === 'string' &&
    isObject((s as Step).inputs as Json) &&
    [(s as Step).result].flat().every((r) => typeof r === 'string');
  if (typeof rule !== 'object' || rule === null || !Array.isArray(rule.steps) || !Array.isArray(rule.results))
    throw bad(operator, 'lacks its steps or its results');
  if (!rule.steps.every(isStep)) throw bad(operator, 'has a step without operator, inputs and result');
  return rule as Decomposition;
}

/** The decompositions of a JSON file: an object with an entry for each operator, such as `mylib.scale.default`. */
export function decompositionsIn(text: string): Decompositions {
  const read = parseJson(text, 'the file of decompositions', true);
  if (!isObject(read))
    throw new CompileError('bad-decomposition', 'the file of decompositions holds no object');
  return new Map(Object.entries(read).map(([name, rule]) => [operatorName(name), checked(rule, name)]));
}

/** `mylib::scale` and `torch.ops.mylib.scale.default` are the same operator. */
export const operatorName = (name: string): string =>
  name
    .replace(/^torch\.ops\./, '')
    .replace('::', '.')
    .replace(/\.default$/, '');
