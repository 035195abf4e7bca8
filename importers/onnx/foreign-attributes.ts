import type { Graph } from '../../src/ir/graph.js';
import type { Literal } from '../../src/ir/literal.js';
import { decodeMessage } from '../../src/onnx/decode.js';
import { encodeMessage } from '../../src/onnx/encode.js';
import {
  floatAttribute,
  floatsAttribute,
  graphAttribute,
  intAttribute,
  intsAttribute,
  makeAttribute,
  stringAttribute,
  stringsAttribute,
  tensorAttribute,
} from '../../src/onnx/make.js';
import * as schemas from '../../src/onnx/schema.js';
import {
  type Attribute,
  attributeType,
  type Graph as GraphProto,
  type Tensor,
} from '../../src/onnx/types.js';
import type { ForeignAttribute } from '../../src/ops/foreign.js';
import { kindOf, textOfBytes } from './attributes.js';

/** An attribute as the IR carries it. */
export function foreignAttribute(
  a: Attribute,
  body: (g: GraphProto) => Graph,
  literal: (t: Tensor) => Literal,
): ForeignAttribute {
  const { name } = a;
  const encoded = (): ForeignAttribute => ({
    name,
    type: 'encoded',
    value: Buffer.from(encodeMessage(schemas.attribute, a)).toString('base64'),
  });
  const kind = kindOf(a);
  switch (kind) {
    case 'int':
      return { name, type: kind, value: a.i ?? 0n };
    case 'ints':
      return { name, type: kind, value: a.ints };
    case 'float':
      return { name, type: kind, value: a.f ?? 0 };
    case 'floats':
      return { name, type: kind, value: a.floats };
    case 'string': {
      const value = textOfBytes(a.s ?? new Uint8Array());
      return value === undefined ? encoded() : { name, type: kind, value };
    }
    case 'strings': {
      const value = a.strings.map(textOfBytes);
      return value.every((s) => s !== undefined) ? { name, type: kind, value } : encoded();
    }
    case 'tensor':
      return a.t ? { name, type: kind, value: literal(a.t) } : encoded();
    case 'tensors':
      return { name, type: kind, value: a.tensors.map(literal) };
    case 'graph':
      return a.g ? { name, type: kind, value: body(a.g) } : encoded();
    case 'graphs':
      return { name, type: kind, value: a.graphs.map(body) };
    case 'undefined':
    case 'sparseTensor':
    case 'sparseTensors':
    case 'typeProto':
    case 'typeProtos':
      return encoded();
    default:
      return kind satisfies never;
  }
}

/** The attribute as the model had it. */
export function attributeOfForeign(
  a: ForeignAttribute,
  body: (g: Graph) => GraphProto,
  tensor: (l: Literal) => Tensor,
): Attribute {
  const { name } = a;
  switch (a.type) {
    case 'int':
      return intAttribute(name, a.value);
    case 'ints':
      return intsAttribute(name, a.value);
    case 'float':
      return floatAttribute(name, a.value);
    case 'floats':
      return floatsAttribute(name, a.value);
    case 'string':
      return stringAttribute(name, a.value);
    case 'strings':
      return stringsAttribute(name, a.value);
    case 'tensor':
      return tensorAttribute(name, tensor(a.value));
    case 'tensors':
      return makeAttribute({ name, type: attributeType.tensors, tensors: a.value.map(tensor) });
    case 'graph':
      return graphAttribute(name, body(a.value));
    case 'graphs':
      return makeAttribute({ name, type: attributeType.graphs, graphs: a.value.map(body) });
    case 'encoded':
      return { ...decodeMessage(schemas.attribute, Buffer.from(a.value, 'base64')), name };
    default:
      return a satisfies never;
  }
}
