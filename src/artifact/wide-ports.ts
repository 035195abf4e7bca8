import { dataTypeOf, elementTypeOf } from '../onnx/dtype.js';
import { intAttribute, make, makeNode } from '../onnx/make.js';
import * as schemas from '../onnx/schema.js';
import type { Model, Node, ValueInfo } from '../onnx/types.js';
import { widerType } from '../support/wide-types.js';

/** The model with inputs and outputs of a type that onnxruntime in Node does not carry cast from and to a wider one. */
export function withWidePorts(model: Model): Model {
  const { graph } = model;
  const before: Node[] = [];
  const after: Node[] = [];
  const input = graph.input.map((v) => {
    const port = widePort(v);
    if (port) before.push(cast(port.wide.name, v.name, port.narrow));
    return port?.wide ?? v;
  });
  const output = graph.output.map((v) => {
    const port = widePort(v);
    if (port) after.push(cast(v.name, port.wide.name, port.wide.type!.tensorType!.elemType));
    return port?.wide ?? v;
  });
  return { ...model, graph: { ...graph, input, output, node: [...before, ...graph.node, ...after] } };
}

function widePort(v: ValueInfo): { readonly wide: ValueInfo; readonly narrow: number } | undefined {
  const tensorType = v.type?.tensorType;
  const wider = tensorType && widerType(elementTypeOf(tensorType.elemType) ?? '');
  if (!wider) return undefined;
  const type = make(schemas.typeProto, { tensorType: { ...tensorType, elemType: dataTypeOf(wider) } });
  return { wide: { ...v, name: `${v.name}/wide`, type }, narrow: tensorType.elemType };
}

const cast = (from: string, to: string, type: number): Node =>
  makeNode({ opType: 'Cast', input: [from], output: [to], attribute: [intAttribute('to', type)] });
