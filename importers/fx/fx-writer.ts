import { CompileError } from '../../src/support/diagnostic.js';
import { isArray, type Json } from '../pt2/json.js';
import { type Meta, metaIn, resultMetas } from './fx-meta.js';
import { argumentOf, type Known, plain } from './fx-values.js';
import { BadProgram, type Fields, textOf } from './schema.js';

/** Writes an exported program node by node. */
export class FxWriter {
  readonly #tensors: { [name: string]: Json } = {};
  readonly #sizes: { [name: string]: Json } = {};
  readonly #nodes: Json[] = [];
  readonly #inputs: { readonly spec: Json; readonly arg: Json }[] = [];
  readonly #weightNames = new Map<string, string>();
  readonly #metas = new Map<string, Meta>();
  #fresh = 0;

  constructor(private readonly weights: ReadonlyMap<string, Meta>) {}

  /** An input: a tensor, or a size. */
  placeholder(name: string, node: Fields): Known {
    if (node.dtype === 'int') {
      this.size(name, typeof node.expression === 'string' ? node.expression : name);
      const arg = { as_sym_int: { as_name: name } };
      this.#inputs.push({ spec: { user_input: { arg } }, arg });
      return { kind: 'size', name };
    }
    this.#declare(name, metaIn(node, name));
    const arg = { as_tensor: { name } };
    this.#inputs.push({ spec: { user_input: { arg } }, arg });
    return { kind: 'tensor', name };
  }

  hasWeight(fqn: string): boolean {
    return this.weights.has(fqn);
  }

  /** The value of a weight. */
  weight(fqn: string): Known {
    const known = this.#weightNames.get(fqn);
    if (known !== undefined) return { kind: 'tensor', name: known };
    const meta = this.weights.get(fqn);
    if (!meta)
      throw new CompileError(
        'weights-missing',
        `the graph reads the tensor "${fqn}", which no safetensors file of the same name beside it holds`,
      );
    const name = `weight ${fqn}`;
    this.#weightNames.set(fqn, name);
    this.#declare(name, meta);
    this.#inputs.push({
      spec: { parameter: { arg: { name }, parameter_name: fqn } },
      arg: { as_tensor: { name } },
    });
    return { kind: 'tensor', name };
  }

  /** Writes a node of an ATen operator; results have the shapes that the graph says. */
  emit(
    target: string,
    args: Readonly<Record<string, Known>>,
    node: Fields,
    prefix: string,
    path: string,
  ): Known {
    const name = `${prefix}${textOf(node.name, 'a node')}`;
    // What PyTorch checks while it exports leaves nothing to compute.
    if (/^torch\.ops\.aten\.(_assert|sym_constrain)/.test(target)) return plain(null);
    const metas = resultMetas(node, name);
    const results = metas.map((meta, i) => {
      const own = metas.length === 1 && !isArray(node.dtype) ? name : `${name}_${i}`;
      if (meta) this.#declare(own, meta);
      return meta ? own : undefined;
    });
    this.#push(
      target,
      args,
      results.map((r): Json => (r === undefined ? { as_none: true } : { as_tensor: { name: r } })),
      name,
      path,
    );
    const items = results.map((r): Known => (r === undefined ? plain(null) : { kind: 'tensor', name: r }));
    return isArray(node.dtype) ? { kind: 'list', items } : items[0]!;
  }

  /** A node within the translation of another, whose result has a shape that is told. */
  step(target: string, args: Readonly<Record<string, Known>>, meta: Meta, name: string, path: string): Known {
    const own = `${name}.${this.#fresh++}`;
    this.#declare(own, meta);
    this.#push(target, args, [{ as_tensor: { name: own } }], own, path);
    return { kind: 'tensor', name: own };
  }

  #push(
    target: string,
    args: Readonly<Record<string, Known>>,
    outputs: readonly Json[],
    name: string,
    path: string,
  ): void {
    const inputs = Object.entries(args).map(([key, v]) => ({
      name: key,
      arg: argumentOf(v, `the argument "${key}"`),
      kind: 1,
    }));
    this.#nodes.push({
      target: target.startsWith('torch.')
        ? target
        : `torch.ops.aten.${target.includes('.') ? target : `${target}.default`}`,
      inputs,
      outputs,
      name,
      metadata: path === '' ? {} : { nn_module_stack: `,${path},` },
    });
  }

  /** The type and shape of a tensor. */
  metaOf(v: Known): Meta {
    const meta = v.kind === 'tensor' ? this.#metas.get(v.name) : undefined;
    if (meta) return meta;
    throw new BadProgram('bad-argument', 'a tensor belongs where there is none');
  }

  #declare(name: string, meta: Meta): void {
    this.#metas.set(name, meta);
    const extent = (d: number | string): Json =>
      typeof d === 'number' ? { as_int: d } : { as_expr: { expr_str: d, hint: null } };
    this.#tensors[name] = {
      dtype: meta.dtype,
      sizes: meta.shape.map(extent),
      strides: (meta.strides ?? []).map(extent),
      storage_offset: { as_int: 0 },
      layout: 7,
    };
  }

  /** Declares a size. */
  size(name: string, expression: string): void {
    this.#sizes[name] = { as_expr: { expr_str: expression, hint: null } };
  }

  /** The whole program, whose results are those of the graph. */
  program(m: Fields, result: Known): Json {
    const leaves: Json[] = [];
    const spec = (v: Known): Json => {
      const children = v.kind === 'list' ? v.items.map(spec) : undefined;
      if (children && v.kind === 'list' && v.keys)
        return { type: 'builtins.dict', context: JSON.stringify(v.keys), children_spec: children };
      if (children) return { type: 'builtins.tuple', context: 'null', children_spec: children };
      leaves.push(argumentOf(v, 'a result'));
      return { type: null, context: null, children_spec: [] };
    };
    const structure = spec(result);
    const named =
      isArray(m.output_names) && m.output_names.length === leaves.length ? m.output_names : undefined;
    const outSpec = named
      ? {
          type: 'builtins.dict',
          context: JSON.stringify(named),
          children_spec: leaves.map(() => ({ type: null, context: null, children_spec: [] })),
        }
      : structure;
    const version =
      typeof m.torch_version === 'string'
        ? { torch_version: m.torch_version }
        : { torch_version: '(torch.fx)' };
    return {
      schema_version: { major: 8, minor: 0 },
      ...version,
      range_constraints: m.range_constraints ?? {},
      guards_code: m.guards_code ?? [],
      graph_module: {
        graph: {
          inputs: this.#inputs.map((i) => i.arg),
          outputs: leaves,
          nodes: this.#nodes,
          tensor_values: this.#tensors,
          sym_int_values: this.#sizes,
        },
        signature: {
          input_specs: this.#inputs.map((i) => i.spec),
          output_specs: leaves.map((arg) => ({ user_output: { arg } })),
        },
        module_call_graph: [{ fqn: '', signature: { out_spec: JSON.stringify([1, outSpec]) } }],
      },
    };
  }
}
