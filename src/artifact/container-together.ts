import type { ElementType } from '../onnx/dtype.js';
import { graphAttribute, intAttribute, makeGraph, tensorTypeProto, tensorValue } from '../onnx/make.js';
import type { Attribute, Node, TypeProto, ValueInfo } from '../onnx/types.js';
import { type Container, partsOf } from './container.js';

import {
  constant,
  emptySequence,
  node,
  optionalType,
  sequenceType,
  typeAttribute,
  valueInfo,
} from './container-parts.js';

/** From the parts to the value. */
export function together({ name }: ValueInfo, container: Container): readonly Node[] {
  const type = container.dtype as ElementType;
  const [elements, shapes, ranks, present] = partsOf(name, container) as [string, string, string, string];
  const own = (part: string): string => `${name}/in/${part}`;
  const sequence = container.kind === 'sequence' ? name : own('sequence');
  const body = makeGraph({
    name: own('loop'),
    input: [
      tensorValue(own('i'), 'i64', []),
      tensorValue(own('go'), 'bool', []),
      valueInfo(own('before'), sequenceType(type)),
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
      valueInfo(own('longer'), sequenceType(type)),
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

function optional(
  name: string,
  own: (part: string) => string,
  filled: readonly Node[],
  content: TypeProto,
): Node {
  const type = optionalType(content);
  const branch = (result: string, nodes: readonly Node[]): Attribute['g'] =>
    makeGraph({ name: own(`${result}Branch`), node: nodes, output: [valueInfo(own(result), type)] });
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
