import { is, type Value } from '../ir/graph.js';
import { scalarLiteral } from '../ir/literal.js';
import { type OpaqueType, showType } from '../ir/type.js';
import { constant } from './constant.js';
import { defineOp, type OpDef, type SourceNode } from './op.js';

/** A value that there may or may not be; taken apart while importing wherever it was made in the model. */
export const optional: OpDef<{ text: string }> = defineOp({
  name: 'optional',
  takesOpaque: true,
  infer: (_, { text }): OpaqueType => ({ kind: 'opaque', text }),
  onnx: {
    Optional: {
      15: (n, b) => {
        const value = n.optional(0);
        if (!value) return n.decline('an optional value that is absent');
        const { type } = value;
        const inner = type.kind === 'opaque' ? type.text : showType(type);
        return b(optional, [value], { text: `optional<${inner}>` });
      },
    },
    OptionalGetElement: {
      15: (n) => held(n.input(0)) ?? n.decline('whether there is a value is not known before the model runs'),
    },
    OptionalHasElement: { 15: (n, b) => b(constant, [], { value: scalarLiteral('bool', Number(has(n))) }) },
  },
  toOnnx: (_, [x], e) => e.one('Optional', [x]),
});

/** The value inside: a tensor or a list is itself one. */
function held(v: Value): Value | undefined {
  if (is(v.node, optional)) return v.node.inputs[0];
  return v.type.kind === 'opaque' && /^(optional|unknown)/.test(v.type.text) ? undefined : v;
}

function has(n: SourceNode): boolean {
  const value = n.optional(0);
  if (!value) return false;
  return held(value) ? true : n.decline('whether there is a value is not known before the model runs');
}
