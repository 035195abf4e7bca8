import { numel, type Shape } from '../../src/ir/dim.js';
import { type Graph, graph, inputValue, type Value } from '../../src/ir/graph.js';
import { showType, tensor } from '../../src/ir/type.js';
import type { AtenMap } from '../../src/ops/aten/aten-node.js';
import { constant } from '../../src/ops/constant.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { DimRange } from '../onnx/symbols.js';
import type { Export } from '../pt2/archive.js';
import { isArray, type Json } from '../pt2/json.js';
import { Builder } from './builder.js';
import { importNodes } from './nodes.js';
import { outputNames } from './output-names.js';
import { Region, type Shared } from './region.js';
import {
  BadProgram,
  type Fields,
  fieldsOf,
  graphOf,
  listOf,
  metaOf,
  type ProgramGraph,
  type Size,
  textOf,
  unionOf,
  unknownForm,
  wholeOf,
} from './schema.js';
import { inputShapes, Sizes } from './sizes.js';

export interface FxOptions {
  readonly converters: AtenMap;
  readonly shapes?: ReadonlyMap<string, readonly (number | string)[]> | undefined;
  readonly dims?: ReadonlyMap<string, DimRange> | undefined;
  readonly warn: (message: string) => void;
}

export interface ImportedProgram {
  readonly graph: Graph;
  readonly nodes: ProgramGraph['nodes'];
  readonly producer: string;
  readonly schema: string;
}

const schemaMajor = 8;

/** Turns an exported program into an IR graph. Throws one error that lists all operators it cannot express. */
export function importProgram(file: Export, options: FxOptions): ImportedProgram {
  const program = fieldsOf(file.program, 'the program');
  const version = fieldsOf(program.schema_version ?? program.graph_module, 'the schema version');
  const [major, minor] = [
    wholeOf(version.major, 'the schema version'),
    wholeOf(version.minor, 'the schema version'),
  ];
  if (major !== schemaMajor)
    throw new BadProgram(
      'unknown-schema',
      `the program is written in schema ${major}.${minor}; schema ${schemaMajor} is known`,
      major > schemaMajor ? 'update ait-convert' : 'export the module again with PyTorch 2.9 or later',
    );
  const module = fieldsOf(program.graph_module, 'the graph module');
  const main = graphOf(module.graph, 'the graph');
  const constraints = program.range_constraints;
  const sizes = new Sizes(fieldsOf(constraints ?? {}, 'the range constraints'), options.dims ?? new Map());
  const builder = new Builder();
  const converters = new Map(Object.entries(options.converters));
  const shared: Shared = { converters, builder, problems: [] };
  const region = new Region(shared, main, sizes, '');
  const signature = fieldsOf(module.signature, 'the signature');
  const inputs = importInputs(region, signature, file, options);
  importNodes(region);
  if (shared.problems.length > 0) throw unsupported(shared.problems);
  const { values, names } = importOutputs(region, signature, module.module_call_graph, options);
  return {
    graph: graph(inputs, values, names, region.bindings),
    nodes: main.nodes,
    producer: typeof program.torch_version === 'string' ? `PyTorch ${program.torch_version}` : 'PyTorch',
    schema: `${major}.${minor}`,
  };
}

function unsupported(problems: readonly string[]): CompileError {
  const most = 40;
  const lines = problems.slice(0, most).map((p) => `    ${p}`);
  if (problems.length > most) lines.push(`    and ${problems.length - most} more`);
  return new CompileError(
    'unsupported-operators',
    `${problems.length === 1 ? 'an operator of the program is' : `${problems.length} operators of the program are`} not known here:\n${lines.join('\n')}`,
    'call program.run_decompositions() before torch.export.save, which breaks many of them into simpler ones, or export the part of the model in front of them',
  );
}

interface TensorInput {
  readonly name: string;
  readonly shape: readonly Size[];
}

function importInputs(region: Region, signature: Fields, file: Export, options: FxOptions): readonly Value[] {
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

function importOutputs(
  region: Region,
  signature: Fields,
  callGraph: Json | undefined,
  options: FxOptions,
): { readonly values: readonly Value[]; readonly names: readonly string[] } {
  const specs = listOf(signature.output_specs, 'the signature').map((s) => unionOf(s, 'a result'));
  const user = specs.filter(([kind]) => kind === 'user_output' || kind === 'loss_output');
  const names = outputNames(callGraph, user.length);
  const values: Value[] = [];
  const kept: string[] = [];
  user.forEach(([, spec], i) => {
    const inner = fieldsOf(spec, 'a result').arg ?? null;
    // The loss is given by its bare name.
    const arg: Json =
      typeof inner === 'object' && inner !== null && 'name' in inner ? { as_tensor: inner } : inner;
    const v = region.operand(arg, { format: 'fx', name: names[i]!, opType: 'output' });
    if (v && v.type.kind === 'tensor' && numel(v.type.shape) !== undefined) {
      values.push(v);
      kept.push(names[i]!);
    } else if (!('as_none' in (arg as Fields)))
      options.warn(`the result "${names[i]}" is no tensor and is left out`);
  });
  if (values.length === 0)
    throw new CompileError(
      'no-outputs',
      'the program has no result that is a tensor',
      isArray(callGraph) ? undefined : 'export it again',
    );
  return { values, names: kept };
}
