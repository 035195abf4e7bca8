import type { ElementType } from '../onnx/dtype.js';
import {
  graphAttribute,
  intAttribute,
  make,
  makeAttribute,
  makeGraph,
  makeNode,
  makeStringTensor,
  makeTensor,
  tensorAttribute,
  tensorTypeProto,
  tensorValue,
} from '../onnx/make.js';
import * as schemas from '../onnx/schema.js';
import {
  type Attribute,
  attributeType,
  type Model,
  type Node,
  type TypeProto,
  type ValueInfo,
} from '../onnx/types.js';
import { type Container, partsOf } from './container.js';

/** Loops carry sequences, and optionals may be made, from this operator set on. */
export const containerOpset = 18;

/**
 * The model with every input and output that is a sequence or an optional replaced by its parts (see `Container`):
 * nodes in front put inputs together, nodes behind take outputs apart.
 */
export function withPackedPorts(model: Model, containerAt: (name: string) => Container | undefined): Model {
  const { graph } = model;
  const before: Node[] = [];
  const after: Node[] = [];
  const replace = (
    values: readonly ValueInfo[],
    write: (v: ValueInfo, c: Container) => readonly Node[],
    to: Node[],
  ) =>
    values.flatMap((v) => {
      const container = containerAt(v.name);
      if (!container) return [v];
      to.push(...write(v, container));
      return partValues(v.name, container);
    });
  const input = replace(graph.input, together, before);
  const output = replace(graph.output, apart, after);
  return { ...model, graph: { ...graph, input, output, node: [...before, ...graph.node, ...after] } };
}

function partValues(name: string, container: Container): readonly ValueInfo[] {
  const types = [container.dtype, 'i64', 'i64', 'bool'] as ElementType[];
  return partsOf(name, container).map((part, i) => tensorValue(part, types[i]!, [undefined]));
}

const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attribute: readonly Attribute[] = [],
): Node => makeNode({ opType, input, output, attribute });

const constant = (
  name: string,
  type: ElementType,
  dims: readonly number[],
  values: readonly number[] = [],
): Node => {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  const tensor = type === 'string' ? makeStringTensor('', dims, []) : makeTensor('', type, dims, bytes);
  return node('Constant', [], [name], [tensorAttribute('value', tensor)]);
};

const typeAttribute = (tp: TypeProto): Attribute =>
  makeAttribute({ name: 'type', type: attributeType.typeProto, tp });
const sequenceType = (type: ElementType): TypeProto =>
  make(schemas.typeProto, { sequenceType: { elemType: tensorTypeProto(type) } });
const optionalType = (of: TypeProto): TypeProto =>
  make(schemas.typeProto, { optionalType: { elemType: of } });
const valueOf = (name: string, type: TypeProto): ValueInfo => make(schemas.valueInfo, { name, type });

/** From the parts to the value. */
function together({ name }: ValueInfo, container: Container): readonly Node[] {
  const type = container.dtype as ElementType;
  const [elements, shapes, ranks, present] = partsOf(name, container) as [string, string, string, string];
  const own = (part: string): string => `${name}/in/${part}`;
  const sequence = container.kind === 'sequence' ? name : own('sequence');
  const body = makeGraph({
    name: own('loop'),
    input: [
      tensorValue(own('i'), 'i64', []),
      tensorValue(own('go'), 'bool', []),
      valueOf(own('before'), sequenceType(type)),
      tensorValue(own('at'), 'i64', [1]),
      tensorValue(own('axis'), 'i64', [1]),
    ],
    node: [
      node('Reshape', [own('i'), own('one')], [own('index')]),
      node('Gather', [ranks, own('index')], [own('rank')]),
      node('Add', [own('axis'), own('rank')], [own('lastAxis')]),
      node('Slice', [shapes, own('axis'), own('lastAxis')], [own('shape')]),
      node('Concat', [own('one'), own('shape')], [own('factors')], [intAttribute('axis', 0)]),
      node('ReduceProd', [own('factors')], [own('count')], [intAttribute('keepdims', 1)]),
      node('Add', [own('at'), own('count')], [own('end')]),
      node('Slice', [elements, own('at'), own('end')], [own('flat')]),
      node('Reshape', [own('flat'), own('shape')], [own('element')], [intAttribute('allowzero', 1)]),
      node('SequenceInsert', [own('before'), own('element')], [own('longer')]),
      node('Identity', [own('go')], [own('on')]),
    ],
    output: [
      tensorValue(own('on'), 'bool', []),
      valueOf(own('longer'), sequenceType(type)),
      tensorValue(own('end'), 'i64', [1]),
      tensorValue(own('lastAxis'), 'i64', [1]),
    ],
  });
  const nodes = [
    constant(own('zero'), 'i64', [1], [0]),
    constant(own('one'), 'i64', [1], [1]),
    node('Size', [ranks], [own('length')]),
    emptySequence(own('empty'), type),
    node(
      'Loop',
      [own('length'), '', own('empty'), own('zero'), own('zero')],
      [sequence, own('used'), own('usedAxes')],
      [graphAttribute('body', body)],
    ),
  ];
  if (container.kind === 'sequence') return nodes;
  if (container.kind === 'optional') {
    const first = [
      constant(own('first'), 'i64', [], [0]),
      node('SequenceAt', [sequence, own('first')], [own('tensor')]),
      node('Optional', [own('tensor')], [own('filled')]),
    ];
    const isThere = [
      constant(own('none'), 'i64', [], [0]),
      node('Greater', [own('length'), own('none')], [own('present')]),
    ];
    return [...nodes, ...isThere, optional(name, own, first, tensorTypeProto(type))];
  }
  const isThere = [node('Squeeze', [present], [own('present')])];
  const filled = [node('Optional', [sequence], [own('filled')])];
  return [...nodes, ...isThere, optional(name, own, filled, sequenceType(type))];
}

const emptySequence = (name: string, type: ElementType): Node => {
  const { elemType } = tensorTypeProto(type).tensorType!;
  return node('SequenceEmpty', [], [name], [intAttribute('dtype', elemType)]);
};

function optional(
  name: string,
  own: (part: string) => string,
  filled: readonly Node[],
  content: TypeProto,
): Node {
  const type = optionalType(content);
  const branch = (result: string, nodes: readonly Node[]): Attribute['g'] =>
    makeGraph({ name: own(`${result}Branch`), node: nodes, output: [valueOf(own(result), type)] });
  const empty = [node('Optional', [], [own('blank')], [typeAttribute(content)])];
  return node(
    'If',
    [own('present')],
    [name],
    [
      graphAttribute('then_branch', branch('filled', filled)!),
      graphAttribute('else_branch', branch('blank', empty)!),
    ],
  );
}

/** From the value to its parts. */
function apart({ name }: ValueInfo, container: Container): readonly Node[] {
  const type = container.dtype as ElementType;
  const [elements, shapes, ranks, present] = partsOf(name, container) as [string, string, string, string];
  const own = (part: string): string => `${name}/out/${part}`;
  const sequence = container.kind === 'sequence' ? name : own('sequence');
  const carried = ['elements', 'shapes', 'ranks'] as const;
  const types = { elements: type, shapes: 'i64', ranks: 'i64' } as const;
  const body = makeGraph({
    name: own('loop'),
    input: [
      tensorValue(own('i'), 'i64', []),
      tensorValue(own('go'), 'bool', []),
      ...carried.map((c) => tensorValue(own(`${c}Before`), types[c], [undefined])),
    ],
    node: [
      node('SequenceAt', [sequence, own('i')], [own('element')]),
      node('Reshape', [own('element'), own('flat')], [own('row')]),
      node('Shape', [own('element')], [own('shape')]),
      node('Shape', [own('shape')], [own('rank')]),
      ...(['row', 'shape', 'rank'] as const).map((part, i) =>
        node(
          'Concat',
          [own(`${carried[i]!}Before`), own(part)],
          [own(`${carried[i]!}After`)],
          [intAttribute('axis', 0)],
        ),
      ),
      node('Identity', [own('go')], [own('on')]),
    ],
    output: [
      tensorValue(own('on'), 'bool', []),
      ...carried.map((c) => tensorValue(own(`${c}After`), types[c], [undefined])),
    ],
  });
  return [
    ...(container.kind === 'sequence' ? [] : contents(name, own, container, present)),
    constant(own('flat'), 'i64', [1], [-1]),
    constant(own('noElements'), type, [0]),
    constant(own('noExtents'), 'i64', [0]),
    node('SequenceLength', [sequence], [own('length')]),
    node(
      'Loop',
      [own('length'), '', own('noElements'), own('noExtents'), own('noExtents')],
      [elements, shapes, ranks],
      [graphAttribute('body', body)],
    ),
  ];
}

/** The sequence in an optional, or an empty one. */
function contents(
  name: string,
  own: (part: string) => string,
  { kind, dtype }: Container,
  present: string,
): readonly Node[] {
  const type = dtype as ElementType;
  const get =
    kind === 'optional'
      ? [
          node('OptionalGetElement', [name], [own('tensor')]),
          node('SequenceConstruct', [own('tensor')], [own('filled')]),
        ]
      : [node('OptionalGetElement', [name], [own('filled')])];
  const branch = (result: string, nodes: readonly Node[]) =>
    makeGraph({
      name: own(`${result}Branch`),
      node: nodes,
      output: [valueOf(own(result), sequenceType(type))],
    });
  const isThere = node('OptionalHasElement', [name], [own('present')]);
  const choice = node(
    'If',
    [own('present')],
    [own('sequence')],
    [
      graphAttribute('then_branch', branch('filled', get)),
      graphAttribute('else_branch', branch('blank', [emptySequence(own('blank'), type)])),
    ],
  );
  if (kind === 'optional') return [isThere, choice];
  return [
    isThere,
    choice,
    constant(own('one'), 'i64', [1], [1]),
    node('Reshape', [own('present'), own('one')], [present]),
  ];
}
