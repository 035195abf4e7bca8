import type { Graph } from '../ir/graph.js';
import type { Literal } from '../ir/literal.js';
import type { ValueType } from '../ir/type.js';
import { expectCaptured } from './control-flow.js';
import { defineOp, type OpDef } from './op.js';

/** An ONNX attribute as the model wrote it, so that it can be written back unchanged. */
export type ForeignAttribute =
  | { readonly name: string; readonly type: 'int'; readonly value: bigint }
  | { readonly name: string; readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly name: string; readonly type: 'float'; readonly value: number }
  | { readonly name: string; readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly name: string; readonly type: 'string'; readonly value: string }
  | { readonly name: string; readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly name: string; readonly type: 'tensor'; readonly value: Literal }
  | { readonly name: string; readonly type: 'tensors'; readonly value: readonly Literal[] }
  /** The body's last inputs are the node's captured values. */
  | { readonly name: string; readonly type: 'graph'; readonly value: Graph }
  | { readonly name: string; readonly type: 'graphs'; readonly value: readonly Graph[] }
  /** Any other attribute, as the base64 text of its encoded message. */
  | { readonly name: string; readonly type: 'encoded'; readonly value: string };

export type ForeignAttrs = {
  readonly domain: string;
  readonly opType: string;
  readonly overload: string;
  /** The version of the domain's operator set that the node is written in. */
  readonly opset: number;
  readonly attributes: readonly ForeignAttribute[];
  /** Positions of inputs that are left out. */
  readonly absent: readonly number[];
  /** How many of the inputs, the last ones, are outer values that bodies among the attributes read. */
  readonly captured: number;
  readonly outputs: readonly ValueType[];
  /** Positions of results that nobody named. */
  readonly unnamed: readonly number[];
  /** Why it is not compiled: a sentence for the report. */
  readonly reason: string;
};

const bodiesOf = (attributes: readonly ForeignAttribute[]): readonly Graph[] =>
  attributes.flatMap((a) => (a.type === 'graph' ? [a.value] : a.type === 'graphs' ? a.value : []));

/** An operator the compiler does not know, kept as the model has it. It runs on onnxruntime. */
export const foreign: OpDef<ForeignAttrs> = defineOp({
  name: 'foreign',
  takesOpaque: true,
  infer: (inputs, { outputs, captured, attributes }) => {
    expectCaptured(inputs, captured, bodiesOf(attributes));
    return outputs;
  },
  toOnnx: (node, inputs, e) => e.foreign(node, inputs),
});
