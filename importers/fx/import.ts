import { numel } from '../../src/ir/dim.js';
import {
  dependenciesOf,
  describe,
  type Graph,
  graph,
  type Node,
  symbolsIn,
  topological,
  type Value,
} from '../../src/ir/graph.js';
import type { AtenMap } from '../../src/ops/aten/aten-node.js';
import { CompileError } from '../../src/support/diagnostic.js';
import type { DimRange } from '../onnx/symbols.js';
import type { Export } from '../pt2/archive.js';
import { isArray, type Json } from '../pt2/json.js';
import { freeSymbols } from './bodies.js';
import { Builder } from './builder.js';
import { argumentsOf, guardsIn } from './conditions.js';
import type { Decompositions } from './decompositions.js';
import type { Guard } from './guards.js';
import { importInputs } from './inputs.js';
import { importNodes } from './nodes.js';
import { outputNames } from './output-names.js';
import { Region, type Shared } from './region.js';
import {
  BadProgram,
  type Fields,
  fieldsOf,
  graphOf,
  listOf,
  type ProgramGraph,
  unionOf,
  wholeOf,
} from './schema.js';
import { Sizes } from './sizes.js';
import { refuseSharedState, statesOf } from './states.js';

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
  for (const name of options.dims?.keys() ?? [])
    if (!sizes.isUsed(name)) options.warn(`no input of the model has a dimension named "${name}"`);
  const before = new Map(region.entries());
  importNodes(region);
  refuseSharedState(region, signature, file, before);
  if (shared.problems.length > 0) throw unsupported(shared.problems);
  const results = importOutputs(region, signature, module.module_call_graph, options);
  const states = options.stateOutputs ? statesOf(region, signature, before) : [];
  const values = [...results.values, ...states.map((s) => s.value)];
  const names = [...results.names, ...states.map((s) => s.name)];
  const whole = graph(inputs, values, names, region.bindings);
  checkSizes(whole);
  return {
    graph: whole,
    nodes: main.nodes,
    producer: typeof program.torch_version === 'string' ? `PyTorch ${program.torch_version}` : 'PyTorch',
    schema: `${major}.${minor}`,
    guards: guardsIn(program.guards_code, signature, module.module_call_graph, inputs, options.warn),
    arguments: argumentsOf(signature),
    results: results.all,
  };
}

/** Every size is told by something, and before anything needs it. */
function checkSizes(g: Graph): void {
  const [open] = freeSymbols(g);
  if (open !== undefined)
    throw new BadProgram('unbound-size', `nothing in the program tells the size ${open.slice(0, 100)}`);
  // A size may be read off a result, unless that is made with it.
  for (const [key, { value }] of g.bindings)
    for (const { node } of value.node.inputs)
      if (symbolsIn({ ...node, outputs: [] }).has(key))
        throw new BadProgram(
          'unbound-size',
          `${describe(node.origin)} needs the size ${key}, which only its result tells`,
        );
  const made = new Set<Node>();
  for (const node of topological(g)) {
    const early = dependenciesOf(node, g).find((v) => !made.has(v.node));
    if (early)
      throw new BadProgram(
        'unbound-size',
        `a size that ${describe(node.origin)} needs depends on its result`,
      );
    made.add(node);
  }
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
