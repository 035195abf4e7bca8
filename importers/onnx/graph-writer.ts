import type { Dim, Shape } from '../../src/ir/dim.js';
import {
  type Graph,
  input,
  inputName,
  is,
  type Node,
  type Origin,
  topological,
  type Value,
} from '../../src/ir/graph.js';
import { type Literal, literalOf } from '../../src/ir/literal.js';
import { type DType, tensor } from '../../src/ir/type.js';
import { make, makeGraph, makeNode } from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import type { Attribute, Graph as GraphProto, Node as NodeProto, ValueInfo } from '../../src/onnx/types.js';
import type { ForeignAttrs } from '../../src/ops/foreign.js';
import type { OnnxAttrs } from '../../src/ops/onnx-emitter.js';
import type { OpDef } from '../../src/ops/op.js';
import { CompileError } from '../../src/support/diagnostic.js';
import { DimWriter, scalarOf } from './dims-to-onnx.js';
import { changesBelow, type DowngradeEmitter, downgraded } from './downgrade.js';
import { attributeOfForeign } from './foreign-attributes.js';
import { tensorOfLiteral } from './literals.js';
import type { ModelWriter } from './model-writer.js';
import { foreignOfPlain, plainAttribute, renamedNode } from './node-proto.js';
import { protoOf } from './type-proto.js';
import { type PlainNode, upgraded } from './upgrade.js';

/** Writes one graph: the main one, or a body, which reads outer values by their names. */
export class GraphWriter implements DowngradeEmitter {
  readonly nodes: NodeProto[] = [];
  readonly #names = new Map<Value, string>();
  readonly #types = new Map<string, Value['type']>();
  readonly #produced = new Set<string>();
  readonly #dims: DimWriter;
  readonly #later: (() => void)[] = [];
  #origin: Origin | undefined;

  constructor(
    private readonly model: ModelWriter,
    private readonly graph: Graph,
  ) {
    this.#dims = new DimWriter(graph, this, (v) => this.nameOf(v));
  }

  nameOf(v: Value): string {
    const name = this.#names.get(v);
    if (name === undefined)
      throw new CompileError('unordered-graph', `a value of ${v.node.op.name} is used before it is computed`);
    return name;
  }

  /** The main graph: its inputs and results have the user's names. */
  main(name: string): GraphProto {
    const { inputs, outputs, outputNames } = this.graph;
    for (const v of inputs) this.#names.set(v, inputName(v));
    this.model.use(
      '',
      inputs.map((v) => v.type),
    );
    for (const reserved of [...inputs.map(inputName), ...outputNames]) this.model.reserve(reserved);
    this.#writeNodes();
    const renamed = new Map(this.model.regainedNames());
    outputs.forEach((v, i) => {
      const own = this.nameOf(v);
      const wanted = outputNames[i]!;
      if (own === wanted) return;
      if (this.#produced.has(own) && !renamed.has(own)) renamed.set(own, wanted);
      else this.#add('Identity', [renamed.get(own) ?? own], [wanted], []);
    });
    return makeGraph({
      name,
      node: this.nodes.map((n) => renamedNode(n, renamed)),
      input: inputs.map((v) => info(inputName(v), v)),
      output: outputs.map((v, i) => info(outputNames[i]!, v)),
      valueInfo: this.#valueInfo(new Set([...outputNames, ...renamed.values()]), renamed),
    });
  }

  /** The types of results in between, which tools cannot always infer. */
  #valueInfo(told: ReadonlySet<string>, renamed: ReadonlyMap<string, string>): readonly ValueInfo[] {
    const infos = new Map<string, ValueInfo>();
    for (const [v, name] of this.#names)
      if (this.#produced.has(name) && !told.has(name) && !renamed.has(name) && v.type.kind === 'tensor')
        infos.set(name, info(name, v));
    return [...infos.values()];
  }

  /** A body; its last inputs are `captured` outer values. */
  body(captured: readonly string[]): GraphProto {
    const { inputs, outputs, outputNames } = this.graph;
    const own = inputs.length - captured.length;
    const parameters = inputs.slice(0, own).map((v) => this.model.unique(inputName(v)));
    inputs.forEach((v, i) => {
      this.#names.set(v, i < own ? parameters[i]! : captured[i - own]!);
    });
    this.#writeNodes();
    const used = new Set<string>();
    const results = outputs.map((v, i) => {
      let name = this.nameOf(v);
      if (!this.#produced.has(name) || used.has(name)) {
        const copy = this.model.unique(outputNames[i]!);
        this.#add('Identity', [name], [copy], []);
        name = copy;
      }
      used.add(name);
      return name;
    });
    return makeGraph({
      name: this.model.unique('body'),
      node: this.nodes,
      input: parameters.map((name, i) => info(name, inputs[i]!)),
      output: results.map((name, i) => info(name, outputs[i]!)),
    });
  }

  #writeNodes(): void {
    for (const node of topological(this.graph)) {
      if (is(node, input)) {
        if (!this.#names.has(node.outputs[0]!))
          throw new CompileError(
            'foreign-input',
            `the graph uses the input "${inputName(node.outputs[0]!)}" of another`,
          );
        continue;
      }
      this.#origin = node.origin;
      const types = node.outputs.map((v) => v.type);
      this.model.use('', types, node.origin);
      const inputs = node.inputs.map((v) => this.#typed(v));
      const names = 'toOnnx' in node.op ? [(node.op as OpDef).toOnnx(node, inputs, this)].flat() : [];
      if (names.length === 0) this.needs(Infinity, node.op.name);
      node.outputs.forEach((v, i) => {
        this.#names.set(v, names[i] ?? this.#newName());
      });
    }
    this.#origin = undefined;
  }

  #add(
    opType: string,
    inputs: readonly (string | undefined)[],
    output: readonly string[],
    attribute: readonly Attribute[],
    domain = '',
    overload = '',
  ): void {
    for (const name of output) if (name !== '') this.#produced.add(name);
    for (const name of inputs) if (name !== undefined) this.model.read(name);
    const given = inputs.map((name) => name ?? '');
    while (given.at(-1) === '') given.pop();
    const name = this.model.uniqueNode(nodeName(this.#origin, opType));
    this.nodes.push(makeNode({ opType, domain, overload, name, input: given, output, attribute }));
  }

  #newName(): string {
    return this.model.unique(this.#origin?.name || 'value');
  }

  node(
    opType: string,
    inputs: readonly (string | undefined)[],
    attrs: OnnxAttrs = {},
    outputs = 1,
    domain = '',
    version = 1,
  ): readonly string[] {
    const names = Array.from({ length: outputs }, () => this.#newName());
    if (domain === '') {
      this.model.use(opType, [], this.#origin);
      if (changesBelow(opType, this.opset)) {
        this.#older(opType, inputs, attrs, names);
        return names;
      }
    }
    const attributes = Object.entries(attrs).flatMap(([name, a]) =>
      a ? [plainAttribute(name, a, (body, captured) => this.#body(body, captured))] : [],
    );
    this.model.useDomain(domain, version);
    this.#add(opType, inputs, names, attributes, domain);
    return names;
  }

  /** The node in the form of the operator set that is written, where that is an older one. */
  #older(
    opType: string,
    inputs: readonly (string | undefined)[],
    attrs: OnnxAttrs,
    outputs: readonly string[],
  ): void {
    const plain: PlainNode = {
      opType,
      inputs,
      types: inputs.map((name) => this.#typeNamed(name)),
      attributes: Object.entries(attrs).flatMap(([name, a]) => (a ? [foreignOfPlain(name, a)] : [])),
      outputs,
    };
    this.#addPlain(downgraded(plain, this.opset, this), [], '', '');
  }

  #addPlain(n: PlainNode, captured: readonly string[], domain: string, overload: string): void {
    const attributes = n.attributes.map((a) =>
      attributeOfForeign(
        a,
        (g) => this.#body(g, captured),
        (l) => tensorOfLiteral('', l),
      ),
    );
    this.#add(n.opType, n.inputs, n.outputs, attributes, domain, overload);
    for (const write of this.#later.splice(0)) write();
  }

  #typed(v: Value): string {
    const name = this.nameOf(v);
    this.#types.set(name, v.type);
    return name;
  }

  #typeNamed(name: string | undefined): Value['type'] | undefined {
    if (name === undefined) return undefined;
    const known = this.#types.get(name);
    const literal = known ? undefined : this.model.constantNamed(name);
    return literal ? tensor(literal.dtype, literal.shape) : known;
  }

  get opset(): number {
    return this.model.opset;
  }

  needs(opset: number, what: string): void {
    this.model.needs(opset, what, this.#origin);
  }

  constantNamed(name: string): Literal | undefined {
    return this.model.constantNamed(name);
  }

  one(opType: string, inputs: readonly (string | undefined)[], attrs?: OnnxAttrs): string {
    return this.node(opType, inputs, attrs)[0]!;
  }

  literal(value: Literal, name?: string): string {
    return this.model.initializer(value, name ?? constantName(this.#origin), this.#origin);
  }

  constant(dtype: DType, shape: readonly number[], values: readonly (number | bigint)[]): string {
    if (!/^([iu]\d{1,2}|b?f16|f32|f64|bool)$/.test(dtype) || /^[iu][24]$/.test(dtype))
      return this.one('Cast', [this.constant('f32', shape, values)], { to: { kind: 'dtype', value: dtype } });
    return this.model.initializer(literalOf(dtype, shape, values), `constant_${dtype}`);
  }

  dims(shape: Shape): string {
    return this.#dims.all(shape);
  }

  dim(d: Dim): string {
    return typeof d === 'number' ? this.constant('i64', [], [d]) : scalarOf(this.#dims.one(d), this);
  }

  foreign(node: Node<ForeignAttrs>, inputs: readonly string[]): readonly string[] {
    const { attrs } = node;
    const own = inputs.length - attrs.captured;
    const captured = inputs.slice(own);
    const given: (string | undefined)[] = inputs.slice(0, own);
    const types: (Value['type'] | undefined)[] = node.inputs.slice(0, own).map((v) => v.type);
    for (const at of attrs.absent) {
      given.splice(at, 0, undefined);
      types.splice(at, 0, undefined);
    }
    const names = attrs.outputs.map((_, i) => (attrs.unnamed.includes(i) ? '' : this.#newName()));
    const plain: PlainNode = {
      opType: attrs.opType,
      inputs: given,
      types,
      attributes: attrs.attributes,
      outputs: names,
    };
    this.model.useDomain(attrs.domain, attrs.opset);
    if (attrs.domain === '') this.model.use(attrs.opType, [], node.origin);
    const final = attrs.domain === '' ? this.#inOpset(plain, attrs.opset) : plain;
    this.#addPlain(final, captured, attrs.domain, attrs.overload);
    return names;
  }

  #inOpset(n: PlainNode, from: number): PlainNode {
    return from > this.opset ? downgraded(n, this.opset, this, from) : upgraded(n, from, this.opset, this);
  }

  #body(g: Graph, captured: readonly string[]): GraphProto {
    return new GraphWriter(this.model, g).body(captured);
  }

  fresh(): string {
    return this.#newName();
  }

  finish(opType: string, inputs: readonly string[], output: string, attrs: OnnxAttrs = {}): void {
    const attributes = Object.entries(attrs).flatMap(([name, a]) =>
      a ? [plainAttribute(name, a, (body) => this.#body(body, []))] : [],
    );
    this.#later.push(() => this.#add(opType, inputs, [output], attributes));
  }
}

/** Constants that are computed while importing belong to a module; parameters have its path in their names. */
function constantName(origin: Origin | undefined): string {
  if (!origin?.name) return 'constant';
  return origin.path ? `${origin.path}.${origin.name}` : origin.name;
}

/** A node's place among the modules, and what it does there. */
const nodeName = (origin: Origin | undefined, opType: string): string =>
  origin?.path ? `${origin.path}/${opType}` : origin?.name || opType;

const info = (name: string, v: Value): ValueInfo => make(schemas.valueInfo, { name, type: protoOf(v.type) });
