import type { Dim, Shape } from '../../src/ir/dim.js';
import type { Origin, Value } from '../../src/ir/graph.js';
import type { DType, TensorType } from '../../src/ir/type.js';
import type { AtenNode } from '../../src/ops/aten/aten-node.js';
import type { Content } from '../../src/ops/content.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { float, integer, isArray, isObject, type Json } from '../pt2/json.js';
import {
  fieldsOf,
  listOf,
  type ProgramNode,
  scalarTypeOf,
  textOf,
  unionOf,
  unknownForm,
  wholeOf,
} from './schema.js';

/** What a node's arguments mean where it stands. */
export interface Surroundings {
  value(name: string): Value;
  size(name: string): Dim;
  type(name: string): TensorType;
  content(v: Value): Content | undefined;
  isRead(name: string): boolean;
  bind(extent: Dim, v: Value, element: number): void;
}

type Argument = readonly [form: string, value: Json];

/** A node of a program as converters see it. */
export class ProgramAtenNode implements AtenNode {
  readonly #arguments = new Map<string, Argument>();
  readonly outputCount: number;

  constructor(
    private readonly node: ProgramNode,
    readonly target: string,
    readonly origin: Origin,
    private readonly around: Surroundings,
    private readonly outputs: readonly string[],
  ) {
    for (const { name, arg } of node.inputs) {
      const form = unionOf(arg, `the argument "${name}"`);
      if (form[0] !== 'as_none') this.#arguments.set(name, form);
    }
    this.outputCount = outputs.length;
  }

  has(name: string): boolean {
    return this.#arguments.has(name);
  }

  #need(name: string): Argument {
    const found = this.#arguments.get(name);
    if (found) return found;
    throw new CompileError('missing-argument', `the argument "${name}" is missing`);
  }

  #unlike(name: string, form: string, what: string): never {
    throw new CompileError(
      'bad-argument',
      `the argument "${name}" has the form "${form}" where ${what} belongs`,
    );
  }

  #tensorNamed(value: Json, where: string): Value {
    return this.around.value(textOf(fieldsOf(value, where).name, where));
  }

  tensor(name: string): Value {
    const [form, value] = this.#need(name);
    if (form === 'as_tensor') return this.#tensorNamed(value, name);
    if (form === 'as_optional_tensor') return this.#tensorNamed(unionOf(value, name)[1], name);
    return this.#unlike(name, form, 'a tensor');
  }

  optional(name: string): Value | undefined {
    return this.has(name) ? this.tensor(name) : undefined;
  }

  tensors(name: string): readonly Value[] {
    return this.optionalTensors(name).map((v) => v ?? this.#unlike(name, 'as_none', 'a tensor'));
  }

  optionalTensors(name: string): readonly (Value | undefined)[] {
    const [form, value] = this.#need(name);
    if (form === 'as_tensors') return listOf(value, name).map((t) => this.#tensorNamed(t, name));
    if (form === 'as_optional_tensors')
      return listOf(value, name).map((t) => {
        const [kind, inner] = unionOf(t, name);
        return kind === 'as_tensor' ? this.#tensorNamed(inner, name) : undefined;
      });
    return isArray(value) && value.length === 0 ? [] : this.#unlike(name, form, 'a list of tensors');
  }

  dim(name: string, fallback?: Dim): Dim {
    const found = this.#arguments.get(name);
    if (!found && fallback !== undefined) return fallback;
    const [form, value] = this.#need(name);
    switch (form) {
      case 'as_int':
        return wholeOf(value, name);
      case 'as_bool':
        return value === true ? 1 : 0;
      case 'as_sym_int':
      case 'as_sym_bool':
        return this.#size(value, name);
      default:
        return this.#unlike(name, form, 'a whole number');
    }
  }

  #size(value: Json, where: string): Dim {
    const [form, inner] = unionOf(value, where);
    switch (form) {
      case 'as_name':
        return this.around.size(textOf(inner, where));
      case 'as_int':
        return wholeOf(inner, where);
      case 'as_bool':
        return inner === true ? 1 : 0;
      default:
        throw unknownForm(`the argument "${where}"`, form);
    }
  }

  int(name: string, fallback?: number): number {
    const d = this.dim(name, fallback);
    return typeof d === 'number' ? d : this.refuse(`"${name}" is known only when the model runs`);
  }

  dims(name: string, fallback?: Shape): Shape {
    const found = this.#arguments.get(name);
    if (!found && fallback) return fallback;
    const [form, value] = this.#need(name);
    if (form === 'as_int') return [wholeOf(value, name)];
    if (form === 'as_ints') return listOf(value, name).map((v) => wholeOf(v, name));
    if (form === 'as_sym_ints') return listOf(value, name).map((v) => this.#size(v, name));
    return isArray(value) && value.length === 0 ? [] : this.#unlike(name, form, 'a list of whole numbers');
  }

  ints(name: string, fallback?: readonly number[]): readonly number[] {
    return this.dims(name, fallback).map((d) =>
      typeof d === 'number' ? d : this.refuse(`"${name}" is known only when the model runs`),
    );
  }

  scalarKind(name: string): 'bool' | 'int' | 'float' | undefined {
    const form = this.#arguments.get(name)?.[0];
    if (form === 'as_int' || form === 'as_sym_int') return 'int';
    if (form === 'as_float' || form === 'as_sym_float') return 'float';
    return form === 'as_bool' ? 'bool' : undefined;
  }

  number(name: string, fallback?: number): number | bigint {
    const found = this.#arguments.get(name);
    if (!found && fallback !== undefined) return fallback;
    const [form, value] = this.#need(name);
    if (form === 'as_bool') return value === true ? 1 : 0;
    const x = form === 'as_int' ? integer(value) : form === 'as_float' ? float(value) : undefined;
    if (x === undefined) return this.#unlike(name, form, 'a number');
    return typeof x === 'bigint' && Number.isSafeInteger(Number(x)) ? Number(x) : x;
  }

  numbers(name: string, fallback?: readonly number[]): readonly number[] {
    const found = this.#arguments.get(name);
    if (!found && fallback) return fallback;
    const [form, value] = this.#need(name);
    if (form === 'as_floats')
      return listOf(value, name).map((v) => float(v) ?? this.#unlike(name, form, 'a number'));
    if (form === 'as_float') return [float(value) ?? this.#unlike(name, form, 'a number')];
    return this.ints(name);
  }

  flag(name: string, fallback?: boolean): boolean {
    const found = this.#arguments.get(name);
    if (!found && fallback !== undefined) return fallback;
    const [form, value] = this.#need(name);
    return form === 'as_bool' ? value === true : this.int(name) !== 0;
  }

  text(name: string, fallback?: string): string {
    const found = this.#arguments.get(name);
    if (!found && fallback !== undefined) return fallback;
    const [form, value] = this.#need(name);
    return form === 'as_string' ? textOf(value, name) : this.#unlike(name, form, 'text');
  }

  dtype(name: string): DType | undefined {
    const found = this.#arguments.get(name);
    return found?.[0] === 'as_scalar_type' ? scalarTypeOf(found[1], name) : undefined;
  }

  wants(i: number): boolean {
    return this.around.isRead(this.outputs[i] ?? '');
  }

  result(i = 0): TensorType {
    const name = this.outputs[i];
    if (name === undefined) throw new CompileError('bad-program', `result ${i} has no name`);
    return this.around.type(name);
  }

  content(v: Value): Content | undefined {
    return this.around.content(v);
  }

  bind(extent: Dim, v: Value, element: number): void {
    this.around.bind(extent, v, element);
  }

  refuse(reason: string): never {
    throw new CompileError('unsupported-form', `${this.node.target}: ${reason}`);
  }
}

const others = new Set([
  'as_none',
  'as_int',
  'as_bool',
  'as_float',
  'as_sym_int',
  'as_sym_bool',
  'as_sym_float',
  'as_custom_obj',
]);

/** The names of a node's tensor results, in order; undefined where a result is missing. */
export function resultNames(outputs: readonly Json[]): readonly (string | undefined)[] {
  return outputs.flatMap((o): readonly (string | undefined)[] => {
    if (!isObject(o)) return [undefined];
    const [form, value] = unionOf(o, 'a result');
    if (form === 'as_tensor') return [textOf(fieldsOf(value, 'a result').name, 'a result')];
    if (form === 'as_tensors') return resultNames(listOf(value, 'a result').map((x) => ({ as_tensor: x })));
    if (form === 'as_optional_tensors') return resultNames(listOf(value, 'a result'));
    if (!others.has(form)) throw unknownForm('a result', form);
    return [undefined];
  });
}
