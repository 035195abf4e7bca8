import type { Shape } from '../../src/ir/dim.js';
import { inputValue, type Value } from '../../src/ir/graph.js';
import { showType, tensor } from '../../src/ir/type.js';
import { constant } from '../../src/ops/constant.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { Export } from '../pt2/archive.js';
import type { Json } from '../pt2/json.js';
import type { FxOptions } from './import.js';
import type { Region } from './region.js';
import {
  BadProgram,
  type Fields,
  fieldsOf,
  listOf,
  metaOf,
  type Size,
  textOf,
  unionOf,
  unknownForm,
} from './schema.js';
import { inputShapes } from './sizes.js';

interface TensorInput {
  readonly name: string;
  readonly shape: readonly Size[];
}

/** The inputs of the graph; weights become constants. */
export function importInputs(
  region: Region,
  signature: Fields,
  file: Export,
  options: FxOptions,
): readonly Value[] {
  const specs = listOf(signature.input_specs, 'the signature').map((s) => unionOf(s, 'an input'));
  const users: TensorInput[] = [];
  for (const [kind, value] of specs) {
    if (kind !== 'user_input') continue;
    const [form, arg] = unionOf(fieldsOf(value, 'an input').arg, 'an input');
    if (form !== 'as_tensor') continue;
    const name = textOf(fieldsOf(arg, 'an input').name, 'an input');
    if (users.some((u) => u.name === name))
      throw new BadProgram('duplicate-value', `the program has two inputs named "${name}"`);
    users.push({ name, shape: metaOf(region.graph.tensors[name], `the input "${name}"`).sizes });
  }
  const shapes = inputShapes(region.sizes, users, options.shapes ?? new Map());
  for (const name of options.shapes?.keys() ?? [])
    if (!shapes.has(name))
      throw new CompileError(
        'unknown-input',
        `a shape is given for "${name}", which is no input of the model`,
        `its inputs are ${[...shapes.keys()].join(', ')}`,
      );
  return specs.flatMap(([kind, value]): readonly Value[] => importInput(region, kind, value, shapes, file));
}

function importInput(
  region: Region,
  kind: string,
  value: Json,
  shapes: ReadonlyMap<string, Shape>,
  file: Export,
): readonly Value[] {
  const spec = fieldsOf(value, 'an input');
  const name = (): string => textOf(fieldsOf(spec.arg, 'an input').name, 'an input');
  const weight = (from: 'weights' | 'constants', key: string): readonly Value[] => {
    const fqn = textOf(spec[key], 'an input');
    const literal = file.weight(from, fqn);
    const declared = region.type(name());
    if (showType(declared) !== showType(literal.type))
      throw new BadProgram(
        'bad-weight',
        `the tensor "${fqn}" is ${showType(literal.type)} in the archive and ${showType(declared)} in the program`,
      );
    const origin = { format: 'fx', name: fqn, opType: 'weight' } as const;
    region.define(name(), region.shared.builder.build(origin)(constant, [], { value: literal }));
    return [];
  };
  switch (kind) {
    case 'parameter':
      return weight('weights', 'parameter_name');
    case 'buffer':
      return weight(spec.persistent === false ? 'constants' : 'weights', 'buffer_name');
    case 'tensor_constant':
      return weight('constants', 'tensor_constant_name');
    case 'constant_input':
    case 'token':
      return [];
    case 'custom_obj':
      throw new CompileError(
        'custom-object',
        `the program takes the object "${String(spec.custom_obj_name)}", which only Python can read`,
      );
    case 'user_input':
      return userInput(region, spec.arg ?? null, shapes);
    default:
      throw unknownForm('an input', kind);
  }
}

function userInput(region: Region, arg: Json, shapes: ReadonlyMap<string, Shape>): readonly Value[] {
  const [form, inner] = unionOf(arg, 'an input');
  if (form === 'as_tensor') {
    const name = textOf(fieldsOf(inner, 'an input').name, 'an input');
    const { dtype } = metaOf(region.graph.tensors[name], `the input "${name}"`);
    const v = inputValue(name, tensor(dtype, shapes.get(name)!), { format: 'fx', name });
    region.define(name, v);
    region.bindInput(v);
    return [v];
  }
  if (form === 'as_sym_int') {
    const [kind, named] = unionOf(inner, 'an input');
    if (kind !== 'as_name') return [];
    const name = textOf(named, 'an input');
    const v = inputValue(name, tensor('i64', []), { format: 'fx', name });
    region.bind(region.size(name), v, 0);
    return [v];
  }
  // A Python constant: the program was made for this value.
  return [];
}
