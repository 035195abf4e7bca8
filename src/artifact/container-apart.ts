import type { ElementType } from '../onnx/dtype.js';
import { graphAttribute, intAttribute, makeGraph, tensorValue } from '../onnx/make.js';
import type { Node, ValueInfo } from '../onnx/types.js';
import { type Container, partsOf } from './container.js';

import { constant, emptySequence, node, sequenceType, valueInfo } from './container-parts.js';

/** From the value to its parts. */
export function apart({ name }: ValueInfo, container: Container): readonly Node[] {
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
      output: [valueInfo(own(result), sequenceType(type))],
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
