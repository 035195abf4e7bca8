import { numel, type Shape, same } from '../../src/ir/dim.js';
import { type Graph, graph, inputName, inputValue, shapeOf, type Value } from '../../src/ir/graph.js';
import { showType, tensor } from '../../src/ir/type.js';
import type { AtenMap } from '../../src/ops/aten/aten-node.js';
import { constant } from '../../src/ops/constant.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { DimRange } from '../onnx/symbols.js';
import type { Export } from '../pt2/archive.js';
import { isArray, isObject, type Json } from '../pt2/json.js';
import { Builder } from './builder.js';
import type { Decompositions } from './decompositions.js';
import { type Guard, guardOf, placesOf } from './guards.js';
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
  /** What changes while the program runs, buffers and inputs, becomes results as well. */
  readonly stateOutputs?: boolean | undefined;
  /** Operators in terms of others. */
  readonly decompositions?: Decompositions | undefined;
  readonly warn: (message: string) => void;
}

export interface ImportedProgram {
  readonly graph: Graph;
  readonly nodes: ProgramGraph['nodes'];
  readonly producer: string;
  readonly schema: string;
  /** Conditions on the sizes of the inputs. */
  readonly guards: readonly Guard[];
  /** The inputs by the arguments of the module; undefined for one that the program was made for. */
  readonly arguments: readonly (string | undefined)[];
  /** The results by those of the module; undefined for one that is no tensor. */
  readonly results: readonly (string | undefined)[];
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
  const shared: Shared = {
    converters,
    builder,
    problems: [],
    decompositions: options.decompositions ?? new Map(),
  };
  const region = new Region(shared, main, sizes, '');
  const signature = fieldsOf(module.signature, 'the signature');
  const inputs = importInputs(region, signature, file, options);
  const before = new Map(region.entries());
  importNodes(region);
  refuseSharedState(region, signature, file, before);
  if (shared.problems.length > 0) throw unsupported(shared.problems);
  const results = importOutputs(region, signature, module.module_call_graph, options);
  const states = options.stateOutputs ? statesOf(region, signature, before) : [];
  const values = [...results.values, ...states.map((s) => s.value)];
  const names = [...results.names, ...states.map((s) => s.name)];
  return {
    graph: graph(inputs, values, names, region.bindings),
    nodes: main.nodes,
    producer: typeof program.torch_version === 'string' ? `PyTorch ${program.torch_version}` : 'PyTorch',
    schema: `${major}.${minor}`,
    guards: guardsIn(program.guards_code, signature, module.module_call_graph, inputs, options.warn),
    arguments: argumentsOf(signature),
    results: results.all,
  };
}

/** The inputs of the graph that the leaves of the module's arguments are. */
const argumentsOf = (signature: Fields): readonly (string | undefined)[] =>
  listOf(signature.input_specs, 'the signature')
    .map((s) => unionOf(s, 'an input'))
    .filter(([kind]) => kind === 'user_input' || kind === 'constant_input')
    .map(([kind, spec]) =>
      kind === 'user_input' ? inputNamed(fieldsOf(spec, 'an input').arg ?? null) : undefined,
    );

/** The conditions that PyTorch found, but for those that the shapes of the inputs say already. */
function guardsIn(
  code: Json | undefined,
  signature: Fields,
  callGraph: Json | undefined,
  inputs: readonly Value[],
  warn: (message: string) => void,
): readonly Guard[] {
  if (!isArray(code)) return [];
  const users = argumentsOf(signature);
  const places = placesOf(callGraph);
  const names = new Map(
    users.flatMap((name, i) => (name === undefined || !places[i] ? [] : [[places[i], name]])),
  );
  const shapes = new Map(inputs.map((v) => [inputName(v), shapeOf(v)]));
  return code.flatMap((text): readonly Guard[] => {
    const guard = typeof text === 'string' ? guardOf(text, names) : undefined;
    if (!guard) {
      warn(`the program is right only where ${String(text).slice(0, 200)}, which is not checked`);
      return [];
    }
    return isSaid(guard, shapes) ? [] : [guard];
  });
}

/** Whether a guard says that two axes are as long as each other that are one symbol, or what a number decides. */
function isSaid({ condition }: Guard, shapes: ReadonlyMap<string, Shape>): boolean {
  if (typeof condition === 'number' || 'input' in condition || condition.fn !== 'eq') return false;
  const [a, b] = condition.args.map((c) => {
    if (typeof c === 'number') return c;
    return 'input' in c && c.axis !== undefined ? shapes.get(c.input)?.[c.axis] : undefined;
  });
  return a !== undefined && b !== undefined && same(a, b);
}

function inputNamed(arg: Json): string | undefined {
  const [form, value] = unionOf(arg, 'an input');
  if (form === 'as_tensor') return textOf(fieldsOf(value, 'an input').name, 'an input');
  const [inner, name] = form === 'as_sym_int' ? unionOf(value, 'an input') : [];
  return inner === 'as_name' ? textOf(name, 'an input') : undefined;
}

function unsupported(problems: readonly string[]): CompileError {
  const most = 40;
  const lines = problems.slice(0, most).map((p) => `    ${p}`);
  if (problems.length > most) lines.push(`    and ${problems.length - most} more`);
  return new CompileError(
    'unsupported-operators',
    `${problems.length === 1 ? 'an operator of the program is' : `${problems.length} operators of the program are`} not known here:\n${lines.join('\n')}`,
    [
      'call program.run_decompositions() before torch.export.save, which breaks many of them into simpler ones;',
      '      or say what they are in terms of other operators, in a file for --decompositions;',
      '      or split the module there, and export the parts around them',
    ].join('\n'),
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
): {
  readonly values: readonly Value[];
  readonly names: readonly string[];
  readonly all: readonly (string | undefined)[];
} {
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
  if (values.length === 0 && options.stateOutputs !== true)
    throw new CompileError(
      'no-outputs',
      'the program has no result that is a tensor',
      isArray(callGraph) ? undefined : 'export it again',
    );
  return { values, names: kept, all: names.map((name) => (kept.includes(name) ? name : undefined)) };
}

/** Throws when the program changes a tensor in place whose memory another one shares: nobody tells the other. */
function refuseSharedState(
  region: Region,
  signature: Fields,
  file: Export,
  before: ReadonlyMap<string, Value>,
): void {
  const known = new Map<string, string>();
  const changed = new Map<string, string>();
  for (const item of listOf(signature.input_specs, 'the signature')) {
    const [kind, value] = unionOf(item, 'an input');
    const spec = isObject(value) ? value : {};
    const fqn = spec.parameter_name ?? spec.buffer_name ?? spec.tensor_constant_name;
    const own = isObject(spec.arg) ? spec.arg.name : undefined;
    if (typeof fqn !== 'string' || typeof own !== 'string') continue;
    const where = kind === 'tensor_constant' || spec.persistent === false ? 'constants' : 'weights';
    const storage = file.storage?.(where, fqn);
    if (storage === undefined) continue;
    const other = known.get(storage);
    const isChanged = region.has(own) && region.value(own) !== before.get(own);
    const culprit = changed.get(storage) ?? (isChanged && other !== undefined ? fqn : undefined);
    if (culprit !== undefined && other !== undefined)
      throw new CompileError(
        'unsupported-form',
        `"${culprit}" is changed in place and shares its memory with "${culprit === fqn ? other : fqn}"`,
        'give each of them memory of its own before the export: .clone()',
      );
    known.set(storage, fqn);
    if (isChanged) changed.set(storage, fqn);
  }
}

interface State {
  readonly name: string;
  readonly value: Value;
}

/**
 * What the program changes: after decomposition it says so itself, before it writes to its inputs in place. Results
 * come in the order of the inputs.
 */
function statesOf(region: Region, signature: Fields, before: ReadonlyMap<string, Value>): readonly State[] {
  const specs = (key: string): readonly (readonly [string, Fields])[] =>
    listOf(signature[key], 'the signature').map((s) => {
      const [kind, spec] = unionOf(s, 'the signature');
      return [kind, isObject(spec) ? spec : {}];
    });
  const said = new Map<string, Value>();
  for (const [kind, spec] of specs('output_specs')) {
    const target = spec.buffer_name ?? spec.user_input_name ?? spec.parameter_name;
    const v = kind.endsWith('_mutation')
      ? region.operand(
          { as_tensor: spec.arg ?? null },
          { format: 'fx', name: String(target), opType: 'output' },
        )
      : undefined;
    if (v && typeof target === 'string') said.set(target, v);
  }
  return specs('input_specs').flatMap(([, spec]): readonly State[] => {
    const arg = isObject(spec.arg) && 'as_tensor' in spec.arg ? spec.arg.as_tensor : spec.arg;
    const own = isObject(arg) && typeof arg.name === 'string' ? arg.name : undefined;
    if (own === undefined || !region.has(own)) return [];
    const target = String(spec.buffer_name ?? spec.parameter_name ?? spec.tensor_constant_name ?? own);
    const now = said.get(target) ?? region.value(own);
    return now === before.get(own) ? [] : [{ name: `state.${target}`, value: now }];
  });
}
