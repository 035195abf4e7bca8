import { CompileError } from '../../src/support/diagnostic.js';
import { isArray, isObject, type Json } from '../pt2/json.js';
import { callModule } from './fx-leaf-modules.js';
import type { Meta } from './fx-meta.js';
import { chosenOverload } from './fx-overloads.js';
import { castMethods, signatureOf } from './fx-targets.js';
import { type Known, plain } from './fx-values.js';
import { FxWriter } from './fx-writer.js';
import { BadProgram, type Fields, fieldsOf, listOf, textOf } from './schema.js';

/** Whether a JSON text is a graph as `serialize_module` of torch.fx wrote it. */
export const isFxModule = (json: Json): boolean =>
  isObject(json) && isArray(json.nodes) && !('graph_module' in json);

/**
 * A torch.fx graph as an exported program: functions, methods and modules of Python become the ATen operators that
 * they are. `types` are those of the weights beside it.
 */
export function programOfFx(json: Json, weights: ReadonlyMap<string, Meta>): Json {
  const module = fieldsOf(json, 'the graph');
  const writer = new FxWriter(weights);
  const result = new FxReader(writer).module(module, '', undefined);
  if (!result) throw new BadProgram('no-outputs', 'the graph has no output');
  return writer.program(module, result);
}

class FxReader {
  constructor(private readonly writer: FxWriter) {}

  /** Reads the nodes of a module; `given` are the values that a module within another takes. */
  module(m: Fields, prefix: string, given: readonly Known[] | undefined): Known | undefined {
    const values = new Map<string, Known>();
    let next = 0;
    for (const [i, item] of listOf(m.nodes, 'the graph').entries()) {
      const node = fieldsOf(item, `node ${i}`);
      const name = textOf(node.name, `node ${i}`);
      const found = CompileError.within(`in fx node "${prefix}${name}" (${String(node.target)})`, () => {
        const resolve = (arg: Json): Known => resolved(arg, values);
        switch (node.op_code) {
          case 'placeholder':
            return given ? given[next++] : this.writer.placeholder(name, node);
          case 'get_attr':
            return this.writer.weight(this.#weightOf(textOf(node.target, name), prefix));
          case 'call_function':
          case 'call_method':
            return this.#call(node, prefix, resolve);
          case 'call_module':
            return this.#callModule(m, node, prefix, resolve);
          case 'output':
            return resolve(outputOf(node));
          default:
            throw new BadProgram('unknown-form', `a node does "${String(node.op_code)}", which is not known`);
        }
      });
      if (!found) throw new BadProgram('bad-program', `"${prefix}${name}" is given nothing`);
      if (node.op_code === 'output') return found;
      values.set(name, found);
    }
    return undefined;
  }

  #weightOf(target: string, prefix: string): string {
    const names = [`${prefix}${target}`, `${prefix}${target.replace(/^.*\./, '')}`];
    return names.find((n) => this.writer.hasWeight(n)) ?? names[0]!;
  }

  #call(node: Fields, prefix: string, resolve: (arg: Json) => Known): Known {
    const target = textOf(node.target, 'a node').replace(/^<built-in .*function (\w+)>$/, 'torch.$1');
    const args = listOf(node.args ?? [], target).map(resolve);
    const named = Object.entries(fieldsOf(node.kwargs ?? {}, target)).map(
      ([k, v]) => [k, resolve(v)] as const,
    );
    const path = typeof node.path === 'string' ? node.path : '';
    if (typeof node.expression === 'string') {
      const name = `${prefix}${textOf(node.name, target)}`;
      this.writer.size(name, node.expression);
      return { kind: 'size', name };
    }
    if (target.startsWith('torch.ops.')) {
      if (args.length > 0)
        throw new BadProgram(
          'bad-argument',
          'arguments of an ATen operator go by name here',
          'write the file with scripts/export-pt2.py',
        );
      return this.writer.emit(target, Object.fromEntries(named), node, prefix, path);
    }
    const simple = this.#python(target.replace(/^.*\./, ''), args, node, prefix);
    return simple ?? this.#operator(node, target, args, named, prefix, path);
  }

  /** Python's own: sizes, items of tuples, arithmetic on numbers. */
  #python(name: string, args: readonly Known[], node: Fields, prefix: string): Known | undefined {
    const [a, b] = args;
    if (a === undefined) return undefined;
    const isShape = name === 'getattr' && b?.kind === 'plain' && b.value === 'shape';
    if (name === 'size' || isShape) {
      const sizes = this.writer.metaOf(a).shape.map((d, i): Known => {
        if (typeof d === 'number') return plain(d);
        const own = `${prefix}${textOf(node.name, 'a node')}_${i}`;
        this.writer.size(own, d);
        return { kind: 'size', name: own };
      });
      const at = isShape ? undefined : b?.kind === 'plain' ? Number(b.value) : undefined;
      return at === undefined ? { kind: 'list', items: sizes } : sizes.at(at);
    }
    if (name === 'getitem' && b?.kind === 'plain') {
      const items =
        a.kind === 'list' ? a.items : a.kind === 'plain' && isArray(a.value) ? a.value.map(plain) : undefined;
      if (items) return typeof b.value === 'number' ? items.at(b.value) : undefined;
      return this.#indexed(a, isArray(b.value) ? b.value : [b.value], node, prefix);
    }
    if (name === 'getitem' && b?.kind === 'list' && b.items.every((i) => i.kind === 'plain'))
      return this.#indexed(
        a,
        b.items.map((i) => (i.kind === 'plain' ? i.value : null)),
        node,
        prefix,
      );
    if (a.kind === 'plain' && b?.kind === 'plain' && Object.hasOwn(arithmetic, name)) {
      const [x, y] = [Number(a.value), Number(b.value)];
      if (Number.isFinite(x) && Number.isFinite(y)) return plain(arithmetic[name]!(x, y));
    }
    return undefined;
  }

  /** Items of a tensor by numbers, slices and new axes. */
  #indexed(x: Known, items: readonly Json[], node: Fields, prefix: string): Known {
    const name = `${prefix}${textOf(node.name, 'a node')}`;
    let axis = 0;
    let value = x;
    for (const item of items) {
      const { dtype, shape } = this.writer.metaOf(value);
      const at = axis;
      const next = (target: string, args: Readonly<Record<string, Known>>, to: Meta['shape']): void => {
        value = this.writer.step(
          target,
          { self: value, dim: plain(at), ...args },
          { dtype, shape: to },
          name,
          '',
        );
      };
      if (item === null) {
        next('unsqueeze', {}, [...shape.slice(0, at), 1, ...shape.slice(at)]);
        axis++;
      } else if (typeof item === 'number')
        next(
          'select.int',
          { index: plain(item) },
          shape.filter((_, i) => i !== at),
        );
      else if (isObject(item) && isArray(item.slice)) {
        const [start = null, end = null, step = null] = item.slice;
        if (start !== null || end !== null || step !== null) {
          const extent = shape[at];
          if (typeof extent !== 'number')
            throw new BadProgram('unsupported-form', 'a slice of a dynamic axis');
          const clamp = (v: Json, otherwise: number): number =>
            typeof v === 'number' ? Math.min(extent, Math.max(0, v < 0 ? v + extent : v)) : otherwise;
          const [from, to, by] = [clamp(start, 0), clamp(end, extent), typeof step === 'number' ? step : 1];
          const length = Math.max(0, Math.ceil((to - from) / by));
          next(
            'slice.Tensor',
            { start: plain(from), end: plain(to), step: plain(by) },
            shape.map((d, i) => (i === at ? length : d)),
          );
        }
        axis++;
      } else
        throw new BadProgram('unsupported-form', `an index of the form ${JSON.stringify(item).slice(0, 40)}`);
    }
    return value;
  }

  #operator(
    node: Fields,
    target: string,
    args: readonly Known[],
    named: readonly (readonly [string, Known])[],
    prefix: string,
    path: string,
  ): Known {
    const own =
      node.op_code === 'call_method'
        ? target
        : target.replace(/^torch\.fx\.experimental\.fx_acc\./, 'torch.');
    if (node.op_code === 'call_method' && args.length > 0 && Object.hasOwn(castMethods, own))
      return this.writer.emit(
        'to.dtype',
        { self: args[0]!, dtype: plain(castMethods[own]!) },
        node,
        prefix,
        path,
      );
    const found = signatureOf(own);
    // Under its own name, so that it is listed with the others that are not known.
    if (!found)
      return this.writer.emit(
        target.startsWith('torch.') ? target : `torch.${target}`,
        {},
        node,
        prefix,
        path,
      );
    const { signature } = found;
    let inPlace = found.inPlace;
    const given = new Map<string, Known>();
    const last = signature.parameters.at(-1);
    for (const [i, arg] of args.entries()) {
      const spread = i >= signature.parameters.length - 1 && args.length > signature.parameters.length;
      const p = signature.parameters[i];
      if (spread && last?.aten !== undefined) {
        given.set(last.aten, { kind: 'list', items: args.slice(signature.parameters.length - 1) });
        break;
      }
      if (p?.python === 'inplace') inPlace ||= arg.kind === 'plain' && arg.value === true;
      if (p?.aten !== undefined) given.set(p.aten, arg);
    }
    for (const [key, v] of named) {
      if (key === 'inplace') inPlace ||= v.kind === 'plain' && v.value === true;
      const p = signature.parameters.find((q) => q.python === key);
      if (p?.aten !== undefined) given.set(p.aten, v);
    }
    for (const [key, v] of Object.entries(signature.defaults)) if (!given.has(key)) given.set(key, plain(v));
    const [base = '', overload] = chosenOverload(signature.target, given).split('.');
    const full = `${base}${inPlace ? '_' : ''}.${overload ?? 'default'}`;
    return this.writer.emit(full, Object.fromEntries(given), node, prefix, path);
  }

  #callModule(m: Fields, node: Fields, prefix: string, resolve: (arg: Json) => Known): Known {
    const target = textOf(node.target, 'a node');
    const args = listOf(node.args ?? [], target).map(resolve);
    const inner = isObject(m.modules) && Object.hasOwn(m.modules, target) ? m.modules[target] : undefined;
    if (inner === undefined) return callModule(this.writer, node, target, args, prefix);
    const result = this.module(fieldsOf(inner, `the module "${target}"`), `${prefix}${target}.`, args);
    if (!result) throw new BadProgram('no-outputs', `the module "${target}" has no output`);
    return result;
  }
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  floordiv: (a, b) => Math.floor(a / b),
  mod: (a, b) => a - b * Math.floor(a / b),
};

/** References to nodes become what those yield. */
function resolved(arg: Json, values: ReadonlyMap<string, Known>): Known {
  if (isArray(arg)) return { kind: 'list', items: arg.map((a) => resolved(a, values)) };
  if (isObject(arg) && arg.is_node !== true && !('slice' in arg))
    return {
      kind: 'list',
      keys: Object.keys(arg),
      items: Object.values(arg).map((a) => resolved(a, values)),
    };
  if (!isObject(arg) || arg.is_node !== true) return plain(arg);
  const name = textOf(arg.name, 'a reference');
  const v = values.get(name);
  if (v) return v;
  throw new CompileError('unknown-value', `nothing computes the value "${name}"`);
}

/** A single result stands by itself: `args` may have it in a list. */
function outputOf(node: Fields): Json {
  const args = listOf(node.args, 'the output');
  return args.length === 1 ? args[0]! : args;
}
